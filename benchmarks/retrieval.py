"""Memory and time of a retrieval's scores: features of a million queries and a million items.

    python -m benchmarks.retrieval --scored 2000                     minutes
    python -m benchmarks.retrieval                                   all queries, 15 hours of a core

Random features of `--dim` values, one relevant item a query. Blocks of queries are scored one after
the other, so that what is held does not depend on how many are: with `--scored` the features of all
queries are made and kept, and the scores of the first ones alone are computed. Prints the peak of
resident memory, the time, and that of all queries at this rate.
"""

import argparse

from pipeline.argument_types import count
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.retrieval",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--queries", type=count, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--items", type=count, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--dim", type=count, default=512, help="of a feature; default: %(default)s")
    parser.add_argument("--scored", type=count, help="queries that are scored; default: all")
    arguments = parser.parse_args()
    with importing():
        from benchmarks.retrieval_memory import measure

    scored = min(arguments.scored or arguments.queries, arguments.queries)
    measure(arguments.queries, arguments.items, arguments.dim, scored)


if __name__ == "__main__":
    exit_on_user_error(main)

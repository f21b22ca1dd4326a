"""Memory and time of a retrieval's scores: features of a million queries and a million items.

    python -m benchmarks.retrieval --scored 2000                     minutes
    python -m benchmarks.retrieval                                   all queries, 15 hours of a core

Random features of `--dim` values, one relevant item a query. Blocks of queries are scored one after
the other, so that what is held does not depend on how many are: with `--scored` the features of all
queries are made and kept, and the scores of the first ones alone are computed. Prints the peak of
resident memory, the time, and that of all queries at this rate.
"""

import argparse
import resource
import time

import torch

from eval.retrieval_scores import retrieval_scores


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.retrieval",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--queries", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--items", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--dim", type=int, default=512, help="of a feature; default: %(default)s")
    parser.add_argument("--scored", type=int, help="queries that are scored; default: all")
    arguments = parser.parse_args()
    scored = min(arguments.scored or arguments.queries, arguments.queries)
    made = torch.Generator().manual_seed(0)
    queries, gallery = (
        torch.randn(count, arguments.dim, generator=made)
        for count in (arguments.queries, arguments.items)
    )
    ids = torch.arange(arguments.queries) % arguments.items
    features, start = _peak(), time.process_time()
    retrieval_scores(queries[:scored], gallery, ids[:scored], torch.arange(arguments.items))
    spent = time.process_time() - start
    print(
        f"{arguments.queries:,} x {arguments.items:,} of {arguments.dim} values, {scored:,} scored"
    )
    print(f"peak with the features alone   {features:8.2f} GB")
    print(f"peak with the scores           {_peak():8.2f} GB")
    print(f"processor time                 {spent:8.0f} s")
    print(f"of all queries at this rate    {spent * arguments.queries / scored / 3600:8.1f} h")


def _peak() -> float:
    """GB (10^9 bytes) of resident memory at most until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()

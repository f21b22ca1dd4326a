"""The feature store beside other projects' cache formats, in one run.

    python -m benchmarks.cache                      a table, and cache.png beside it with --plot

Reads one view of every row, in batches of 256 rows that lie in memory, from the page cache. Ours
checks every byte against its marker, as it always does; of the peers only those that say so check
anything. Stores are opened and folders listed beforehand, as at the start of a training. Writing
ours includes the fsync of every file. Sides alternate, the best round counts.
The last lines compare walking tars of 20 KB samples, beside webdataset alone, when every sample is
also joined to its cached row by key and its digest is checked.
"""

import argparse
from pathlib import Path

from pipeline.argument_types import count
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cache",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tars", type=count, default=64, help="default: %(default)s")
    parser.add_argument("--rows", type=count, default=1024, help="of a tar; default: %(default)s")
    parser.add_argument("--dim", type=count, default=512, help="default: %(default)s")
    parser.add_argument("--rounds", type=count, default=7, help="default: %(default)s")
    parser.add_argument("--plot", type=Path, help="PNG to draw the rates into")
    arguments = parser.parse_args()
    with importing():
        from benchmarks.cache_contest import measure

    measure(arguments.tars, arguments.rows, arguments.dim, arguments.rounds, arguments.plot)


if __name__ == "__main__":
    exit_on_user_error(main)

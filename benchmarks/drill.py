"""Break a feature store in every way, and see that nothing wrong is ever read and all is mended.

    python -m benchmarks.drill --kills 200 --flips 1000

Extracts the nano CLIP over 8 tars of 32 objects of the embedded pack. Four drills: SIGKILL at
random moments, resuming until whole, then bytes like those of an uninterrupted run; single flipped
bits in random files, which must be refused or change nothing that is read; a dask worker killed in
mid-run; a full disk (a small tmpfs, for which it needs root). Ends with exit code 1 at the first
wrong value.
"""

import argparse

from pipeline.argument_types import whole_number
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.drill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=whole_number, default=200, help="default: %(default)s")
    parser.add_argument("--flips", type=whole_number, default=1000, help="default: %(default)s")
    parser.add_argument("--seed", type=whole_number, default=0, help="default: %(default)s")
    arguments = parser.parse_args()
    with importing():
        from benchmarks.broken_store import drill

    drill(arguments.kills, arguments.flips, arguments.seed)


if __name__ == "__main__":
    exit_on_user_error(main)

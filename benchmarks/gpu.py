"""What this machine's GPU makes of both stages, in one table and at most six minutes.

    python -m benchmarks.gpu                    makes a world of its own in a temporary folder
    python -m benchmarks.gpu --table gpu.txt    writes the table there too
    python -m benchmarks.gpu --dry-run          the same over a tiny world, without a GPU too

Prints, line by line as they are found: a bf16 product to compare with; grouping and spectrograms on
the device; for every teacher its bare forward pass, stage 1 from scratch, what one core makes of
its views (and all at once, where that may be too little), and how far its features are from the
CPU's; the loader alone; how far the gradients of a recorded step are from the step's own; the
student alone on batches in memory, with and without activation checkpointing and compilation, with
its peak memory and its share of the product's speed; and the full loop. A line says what there was
no time for.
"""

import argparse
from pathlib import Path

from pipeline.argument_types import seconds
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing

MOST_SECONDS = 340


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--table", type=Path, help="file to write the table to")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes, to try the command")
    parser.add_argument(
        "--seconds", type=seconds, default=MOST_SECONDS, help="limit; default: %(default)s"
    )
    arguments = parser.parse_args()
    with importing():
        from benchmarks.gpu_parts import measure

    measure(arguments.table, arguments.seconds, dry_run=arguments.dry_run)


if __name__ == "__main__":
    exit_on_user_error(main)

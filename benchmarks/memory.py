"""Memory of an extraction and of an evaluation over ten times more samples: it must not grow.

    python -m benchmarks.memory --plot memory.png

Extracts the nano CLIP over 8 tars of 32 objects, then over the same tars ten times (80 tars, linked
under other names), each in a process of its own, and samples the resident memory. The evaluation
streams clouds of 8,192 points out of the same tars past the mean of each, which is no model, for a
model's own memory would hide theirs: 250 MB if they were kept. Prints the peak of both lengths,
and the longer run's peak in its second half over that in its first, and draws both.
"""

import argparse
from pathlib import Path

from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--plot", type=Path, help="PNG to draw both runs into")
    arguments = parser.parse_args()
    with importing():
        from benchmarks.memory_traces import measure

    measure(arguments.plot)


if __name__ == "__main__":
    exit_on_user_error(main)

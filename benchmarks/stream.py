"""The joined stream beside other projects' on one core: rates, resuming, bytes that ranks read.

    pip install "unialign[bench]"
    python -m benchmarks.stream

Two jobs over the same samples and cached rows of 512 numbers: 20 KB samples as they are, and JPEGs
of 500 x 375 decoded and cropped to 224. Time is this process's own, on one thread, so that other
programs do not count. Each peer alternates with ours in a process of its own, and the best round
of each counts. Resuming is the time from opening to the first batch in the middle of a pass. A peer
that is not installed, or fails, is named.
"""

import argparse

from pipeline.argument_types import count
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stream",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--samples", type=count, default=4096, help="undecoded; default: %(default)s"
    )
    parser.add_argument("--rounds", type=count, default=7, help="default: %(default)s")
    arguments = parser.parse_args()
    with importing():
        from benchmarks.stream_contest import measure

    measure(arguments.samples, arguments.rounds)


if __name__ == "__main__":
    exit_on_user_error(main)

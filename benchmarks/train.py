"""Stage 2 beside its limits, in one run: the student's compute alone, and teachers that run along.

    python -m benchmarks.train                     on the data and stores of params.yaml
    python -m benchmarks.train --steps 40 --ranks 2

Prints samples/s of the full loop (tars, planes, decoding, joining, training) and of the same
updates on batches already in memory, with the same threads and with all; the share of time spent
waiting for data; how much faster the step is than one with online teachers, beside the most that
caching can give; and, with --ranks, how much more that many ranks do than one, each with one
thread. Every rank's loader wants a core of its own, which shows where there are fewer than two for
each rank.
"""

import argparse
import os

from pipeline.argument_types import count
from pipeline.config import load_params
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    parser.add_argument("--steps", type=count, default=20, help="to measure; default: %(default)s")
    parser.add_argument("--ranks", type=count, help="ranks to compare with one")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    with importing():
        from benchmarks.training_rates import measure, one_of_the_ranks

    if "RANK" in os.environ:
        one_of_the_ranks(params, arguments.steps)
    else:
        measure(params, arguments.params, arguments.steps, arguments.ranks)


if __name__ == "__main__":
    exit_on_user_error(main)

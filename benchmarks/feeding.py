"""What stage 1's main process takes of a sample, where its views and the forward pass cost nothing.

    python -m benchmarks.feeding            every modality
    python -m benchmarks.feeding renders    one of them

A worker process hands out ready views, as they cross to a GPU, and features are a slice of them.
What is left is what feeds a GPU: the way between the processes, batches, progress, the store.
Prints the samples/s of two views that the main process reaches on a core of its own, by the CPU
seconds of all its threads and of its first alone, and what the worker takes beside its views; other
work on the machine does not change them.
"""

import argparse

from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.feeding",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("only", nargs="*", help="sources of params.yaml; default: all")
    arguments = parser.parse_args()
    with importing():
        from benchmarks.feeding_rates import measure

    measure(arguments.only)


if __name__ == "__main__":
    exit_on_user_error(main)

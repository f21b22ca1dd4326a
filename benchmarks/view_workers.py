"""Two of the engine's worker processes over one, in views/s of every modality.

    python -m benchmarks.view_workers               all, 6 minutes
    python -m benchmarks.view_workers image video

The processes are those in which both stages make views; the main process receives them and no
more, as stage 1 beside a GPU that costs nothing. Beside them the machine's own ceiling is measured:
the same work in one and in two processes that hand nothing on, which share caches, memory and clock
all the same. Every arm is timed from behind its start, and they alternate.

The last columns are CPU time of a view, which other work on the machine changes little: of the main
process, of a lone worker and of each of two; and the ratio that they allow on two cores.

The machine must have two cores and nothing else to do. Samples are those of
`benchmarks.view_members` in a tar, two views of each; clips have a keyframe every second.
"""

import argparse

from pipeline.argument_types import seconds
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.view_workers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("only", nargs="*", help="modalities; default: all")
    parser.add_argument("--seconds", type=seconds, default=8.0, help="of an arm (%(default)g)")
    arguments = parser.parse_args()
    with importing():
        from benchmarks.view_worker_rates import measure

    measure(arguments.only, arguments.seconds)


if __name__ == "__main__":
    exit_on_user_error(main)

"""Two extraction workers over one, on a teacher that computes more than it decodes.

    python -m benchmarks.workers

The nano ULIP over 20 tars of 32 objects of the embedded pack, torch with one thread in each
worker. The first run of some workers loads the models, and the best of the others counts. Prints
samples/s of one and of two workers, and their ratio; the machine must have two cores and nothing
else to do. Then four workers extract too, and all stores are compared byte by byte.
"""

import argparse

from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.workers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    with importing():
        from benchmarks.worker_rates import measure

    measure()


if __name__ == "__main__":
    exit_on_user_error(main)

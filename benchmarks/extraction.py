"""Stage 1 beside the bare forward loop of the same teacher on tensors that are already in memory.

    python -m benchmarks.extraction --teacher ulip --source objects

Both runs encode the same views in the same batches; stage 1 also reads tars, decodes, augments,
digests and writes the store (into a temporary folder). Prints samples/s of both and their ratio.
"""

import argparse

from pipeline.config import load_params
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.extraction",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--teacher", required=True, help="name under `teachers`")
    parser.add_argument("--source", required=True, help="name under `sources`")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    arguments = parser.parse_args()
    with importing():
        from benchmarks.extraction_rates import measure

    measure(load_params(arguments.params), arguments.teacher, arguments.source)


if __name__ == "__main__":
    exit_on_user_error(main)

"""A teacher's `encode` beside the bare forward of the module inside it, on the same batch.

    python -m benchmarks.teachers --teacher ulip --arch ulip1-pointbert --weights FILE
    python -m benchmarks.teachers --teacher clip --arch ViT-B-32 --weights openai

Prints seconds and peak memory of `load_teacher`, and the ratio of both throughputs, alternated in
one run so that a busy machine slows both alike.
"""

import argparse

from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.teachers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--teacher", required=True, help="registry name")
    parser.add_argument("--arch", required=True)
    parser.add_argument("--weights", required=True, help="the official file")
    arguments = parser.parse_args()
    with importing():
        from benchmarks.teacher_rates import measure

    measure(arguments.teacher, arguments.arch, arguments.weights)


if __name__ == "__main__":
    exit_on_user_error(main)

"""Zero-shot classification of held-out data, beside chance and the specialist teachers.

    python -m eval.zeroshot --ckpt runs/demo/student
    python -m eval.zeroshot --ckpt runs/demo/student --benchmark points

Benchmarks stand under `benchmarks` in the params file. Writes to <ckpt>/../zeroshot/: metrics.json,
table.txt, and for each benchmark per_class/, predictions/ (CSV) and confusion/ (PNG). The same
student's scores on other benchmarks stay there. Unreadable samples are left out and told.
"""

import argparse
from pathlib import Path

from pipeline.config import load_params
from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import importing, keeping


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.zeroshot",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ckpt", required=True, type=Path, help="folder of a portable student")
    parser.add_argument("--benchmark", nargs="+", help="names under `benchmarks`; default: all")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    names = arguments.benchmark or list(params.benchmarks)
    for name in names:
        if name not in params.benchmarks:
            raise UserError(f"--benchmark {name}: expected one of {', '.join(params.benchmarks)}")
    with importing():
        from eval.benchmark_scores import score, write
        from eval.scoreboard import Scoreboard
        from pipeline.device import default_device
        from pipeline.weights import file_sha256
        from stage2_train.student import Student
        from stage2_train.student.portable import TENSORS

    student = Student.load(arguments.ckpt, device=default_device()).eval()
    out = arguments.ckpt.parent / "zeroshot"
    board = Scoreboard(out, file_sha256(arguments.ckpt / TENSORS), params.benchmarks)
    with keeping(f"finished benchmarks are kept in {out}"):
        for name in names:
            result = score(params, name, student)
            write(out, name, result)
            board.add(name, result.metrics())
    print(board.table(), end="")


if __name__ == "__main__":
    exit_on_user_error(main)

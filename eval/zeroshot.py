"""Zero-shot scores on held-out data, beside chance, the specialist teachers and published numbers.

    python -m eval.zeroshot --ckpt runs/demo/student
    python -m eval.zeroshot --ckpt runs/demo/student --benchmark points
    python -m eval.zeroshot --ckpt runs/demo/student --benchmark modelnet40 --raw DOWNLOAD
    python -m eval.zeroshot --teacher vitlens --benchmark sun-d nyu-d

Benchmarks stand under `benchmarks` in the params file; one that names a protocol is scored as
eval/protocols/ says. Shards made from --raw are kept beside the scores. Writes metrics.json and
table.txt, and for each benchmark with classes per_class/, predictions/ (CSV) and confusion/ (PNG),
to <ckpt>/../zeroshot/, or of a teacher alone to <train.out>/zeroshot-TEACHER/. The same model's
scores on other benchmarks stay there. Unreadable samples are left out and told.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from pipeline.config import Params, load_params
from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import importing, keeping
from pipeline.timing import score_timing, timed
from pipeline.unknown_name import unknown_name


def main() -> None:
    """Command line."""
    arguments = _arguments()
    params = load_params(arguments.params)
    names = _benchmarks(params, arguments)
    if arguments.teacher:
        params = _with_teacher(params, arguments.teacher, names)
    with importing():
        from msgspec import to_builtins

        from eval.benchmark_scores import score, write
        from eval.raw_shards import over_raw
        from eval.scoreboard import Scoreboard
        from pipeline.device import default_device
        from pipeline.identity import fingerprint
        from pipeline.weights import file_sha256
        from stage2_train.student import Student
        from stage2_train.student.portable import TENSORS

    if arguments.ckpt:
        student = Student.load(arguments.ckpt, device=default_device()).eval()
        out, model = arguments.ckpt.parent / "zeroshot", file_sha256(arguments.ckpt / TENSORS)
    else:
        student, out = None, Path(params.train.out) / f"zeroshot-{arguments.teacher}"
        model = fingerprint(to_builtins(params.teachers[arguments.teacher]))
    board = Scoreboard(out, model, params.benchmarks)
    with keeping(f"finished benchmarks are kept in {out}"):
        for name in names:
            with timed(score_timing(out, name), of=model, within=None, resumed=False):
                with over_raw(params, name, arguments.raw, out) as over:
                    result = score(over, name, student)
                write(out, name, result)
                board.add(name, result.metrics())
    print(board.table(), end="")


def _benchmarks(params: Params, arguments: argparse.Namespace) -> list[str]:
    """Those that are asked for; of a teacher alone by default those that name it."""
    if arguments.teacher and arguments.teacher not in params.teachers:
        raise unknown_name("teacher", arguments.teacher, params.teachers)
    wanted = {arguments.teacher} if arguments.teacher else set(params.teachers)
    default = [name for name, each in params.benchmarks.items() if each.teacher in wanted]
    names = arguments.benchmark or default
    for name in names:
        if name not in params.benchmarks:
            raise UserError(f"--benchmark {name}: expected one of {', '.join(params.benchmarks)}")
    if not names:
        raise UserError(f"--teacher {arguments.teacher}: no benchmark names it; add --benchmark")
    if arguments.raw and len(names) != 1:
        raise UserError(f"--raw {arguments.raw}: name with --benchmark the one that it holds")
    return names


def _with_teacher(params: Params, teacher: str, names: list[str]) -> Params:
    """Params of these benchmarks, each with this teacher.

    Raises:
        UserError: it has no model for one.
    """
    theirs = {name: replace(params.benchmarks[name], teacher=teacher) for name in names}
    try:
        return replace(params, benchmarks=theirs)
    except ValueError as error:
        raise UserError(f"--teacher {teacher}: {error}") from None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval.zeroshot",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    scored = parser.add_mutually_exclusive_group(required=True)
    scored.add_argument("--ckpt", type=Path, help="folder of a portable student")
    scored.add_argument("--teacher", help="name under `teachers`: it alone, without a student")
    parser.add_argument("--benchmark", nargs="+", help="names under `benchmarks`; default: all")
    parser.add_argument("--raw", type=Path, help="a benchmark's raw download, instead of shards")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    exit_on_user_error(main)

"""What a cached teacher is worth: the same training with and without it, over several seeds.

    python -m eval.ablate --without ulip-objects --benchmark points --seeds 0 1 2

Trains both variants for every seed under <train.out>/../ablate/, scores them zero-shot, prints mean
and spread, and writes ablate.json there. When it is run again, finished trainings are not repeated
and one that was cut short is resumed.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

from rich.console import Console
from rich.table import Table

from eval.zeroshot import score
from pipeline.atomic import write_atomically
from pipeline.config import Params, load_params
from pipeline.device import default_device
from pipeline.errors import UserError, exit_on_user_error
from stage2_train.allocator import keep_freed_memory
from stage2_train.cores import spare_cores
from stage2_train.student import Student
from stage2_train.trainer import STUDENT, Trainer

SCORE = "score.json"
"""In a training's folder: what it was scored, and of which recipe it is."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.ablate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--without", nargs="+", required=True, help="names in train.teachers to leave out"
    )
    parser.add_argument("--benchmark", required=True, help="name under `benchmarks`")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="train.seed values")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    kept = without(params, arguments.without)
    if arguments.benchmark not in params.benchmarks:
        raise UserError(
            f"--benchmark {arguments.benchmark}: expected one of {', '.join(params.benchmarks)}"
        )
    keep_freed_memory()
    spare_cores(params.train.loader_threads)
    variants = {"with": params.train.teachers, f"without {', '.join(arguments.without)}": kept}
    scores = {
        name: [
            trained_score(params, name, teachers, seed, arguments.benchmark)
            for seed in arguments.seeds
        ]
        for name, teachers in variants.items()
    }
    report = {"benchmark": arguments.benchmark, "seeds": arguments.seeds, "top1": scores}
    (_folder(params) / "ablate.json").write_text(json.dumps(report, indent=1) + "\n")
    Console(width=100).print(ablation_table(arguments.benchmark, scores))


def without(params: Params, names: list[str]) -> tuple[str, ...]:
    """`train.teachers` less some.

    Raises:
        UserError: a name that is not among them.
    """
    for name in names:
        if name not in params.train.teachers:
            raise UserError(
                f"--without {name}: train.teachers holds {', '.join(params.train.teachers)}"
            )
    return tuple(name for name in params.train.teachers if name not in names)


def trained_score(
    params: Params, variant: str, teachers: tuple[str, ...], seed: int, benchmark: str
) -> float:
    """Top-1 of a student trained with `teachers` from `seed`; of one trained earlier, from disk."""
    out = _folder(params) / f"{variant.replace(', ', '-').replace(' ', '-')}-{seed}"
    train = replace(params.train, teachers=teachers, seed=seed, out=str(out))
    changed = replace(params, train=train)
    trainer = Trainer(changed)
    known = {"benchmark": benchmark, "recipe": trainer.checkpoints.folder.name}
    there = json.loads((out / SCORE).read_text()) if (out / SCORE).exists() else {}
    if known.items() <= there.items():
        return there["top1"]
    if not trainer.run():
        print("stopped by SIGTERM after saving; run the same command to go on")
        sys.exit(143)
    student = Student.load(out / STUDENT, device=default_device()).eval()
    top1 = score(changed, benchmark, student).student.top1
    write_atomically(out / SCORE, json.dumps({**known, "top1": top1}).encode())
    return top1


def ablation_table(benchmark: str, scores: dict[str, list[float]]) -> Table:
    """Mean, spread and every seed's score, in per cent."""
    table = Table(title=f"{benchmark}: zero-shot top-1 (%)")
    for column in ("variant", "mean", "standard deviation", "seeds"):
        table.add_column(column)
    for name, values in scores.items():
        spread = f"{100 * stdev(values):.1f}" if len(values) > 1 else "-"
        each = ", ".join(f"{100 * value:.1f}" for value in values)
        table.add_row(name, f"{100 * mean(values):.1f}", spread, each)
    return table


def _folder(params: Params) -> Path:
    return Path(params.train.out).parent / "ablate"


if __name__ == "__main__":
    exit_on_user_error(main)

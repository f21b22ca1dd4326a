"""What a cached teacher is worth: the same training with and without it, over several seeds.

    python -m eval.ablate --without ulip-objects --benchmark points --seeds 0 1 2

Trains both variants for every seed under <train.out>/../ablate/RECIPE/, scores them zero-shot,
prints mean and spread, and writes ablate.json there. When it is run again, finished trainings are
not repeated and one that was cut short is resumed. RECIPE is a fingerprint of the settings, data
and targets: another recipe's runs lie beside.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import torch
from rich.console import Console
from rich.table import Table

from eval.zeroshot import score
from pipeline.allocator import keep_freed_memory
from pipeline.atomic import write_atomically
from pipeline.config import Params, load_params
from pipeline.device import default_device
from pipeline.errors import UserError, exit_on_user_error
from pipeline.identity import fingerprint
from pipeline.interruption import keeping
from stage2_train.assembly import assemble, recipe
from stage2_train.cores import spare_cores
from stage2_train.student import Student
from stage2_train.trainer import STUDENT, Trainer

SCORES = "scores.json"
"""In a finished training's folder: of which recipe it is, and its score on each benchmark."""


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
    spare_cores(params.train.loader_workers)
    folder = recipe_folder(params)
    variants = {"with": params.train.teachers, f"without {', '.join(arguments.without)}": kept}
    with keeping(f"finished trainings and scores are kept in {folder}"):
        scores = {
            name: [
                trained_score(
                    params, folder / _run(name, seed), teachers, seed, arguments.benchmark
                )
                for seed in arguments.seeds
            ]
            for name, teachers in variants.items()
        }
    report = {"benchmark": arguments.benchmark, "seeds": arguments.seeds, "top1": scores}
    write_atomically(folder / "ablate.json", json.dumps(report, indent=1).encode() + b"\n")
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


def recipe_folder(params: Params) -> Path:
    """Where the runs of these settings, data and targets lie, whatever the seed."""
    seedless = replace(params, train=replace(params.train, seed=0))
    assembly = assemble(seedless, torch.device("cpu"), ranks=1)
    name = fingerprint(recipe(seedless, assembly), 6)
    return Path(params.train.out).parent / "ablate" / name


def trained_score(
    params: Params, out: Path, teachers: tuple[str, ...], seed: int, benchmark: str
) -> float:
    """Top-1 of a student trained into `out` with `teachers` from `seed`, or earlier from there."""
    changed = replace(
        params, train=replace(params.train, teachers=teachers, seed=seed, out=str(out))
    )
    trainer = Trainer(changed)
    recipe_ = trainer.checkpoints.folder.name
    scores = _scores_of(out, recipe_)
    if scores is None:
        if not trainer.run():
            trainer.stop.leave(first=True)
        scores = {}
        _keep(out, recipe_, scores)
    if benchmark not in scores:
        student = Student.load(out / STUDENT, device=default_device()).eval()
        scores[benchmark] = score(changed, benchmark, student).student.top1
        _keep(out, recipe_, scores)
    return scores[benchmark]


def _scores_of(out: Path, recipe_: str) -> dict[str, float] | None:
    """Benchmark -> top-1 of the student that lies there; None if none of the recipe does."""
    path = out / SCORES
    try:
        kept = json.loads(path.read_text())
        return kept["top1"] if kept["recipe"] == recipe_ else None
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path}: not what eval.ablate wrote ({error}); delete {out}") from None


def _keep(out: Path, recipe_: str, scores: dict[str, float]) -> None:
    write_atomically(out / SCORES, json.dumps({"recipe": recipe_, "top1": scores}).encode())


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


def _run(variant: str, seed: int) -> str:
    """Name of a training's folder."""
    return f"{variant.replace(', ', '-').replace(' ', '-')}-{seed}"


if __name__ == "__main__":
    exit_on_user_error(main)

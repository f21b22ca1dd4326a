"""Trainings with and without a cached teacher, their scores, and the table of both."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from rich.table import Table

from eval.benchmark_scores import score
from pipeline.atomic import write_atomically
from pipeline.config import Params
from pipeline.device import default_device
from pipeline.errors import UserError
from pipeline.identity import fingerprint
from stage2_train.student import Student
from stage2_train.training.assembly import assemble, recipe
from stage2_train.training.trainer import STUDENT, Trainer

SCORES = "scores.json"
"""In a finished training's folder: of which recipe it is, and under `top1` its score on each
benchmark, whichever metric that has, or what else was measured there."""
Measure = Callable[[Params, str, Student], Any]
"""Of params, a benchmark and the student: something JSON can say."""


def recipe_folder(params: Params) -> Path:
    """Where the runs of these settings, data and targets lie, whatever the seed."""
    seedless = replace(params, train=replace(params.train, seed=0))
    assembly = assemble(seedless, torch.device("cpu"), ranks=1)
    name = fingerprint(recipe(seedless, assembly), 6)
    return Path(params.train.out).parent / "ablate" / name


def own_score(params: Params, benchmark: str, student: Student) -> float:
    """The score that the benchmark's models are compared by."""
    return score(params, benchmark, student).own("student")


def trained_score(
    params: Params, out: Path, teachers: tuple[str, ...], seed: int, benchmark: str
) -> float:
    """Score of a student trained into `out` with `teachers` from `seed`, or earlier from there."""
    changed = replace(
        params, train=replace(params.train, teachers=teachers, seed=seed, out=str(out))
    )
    return measured(changed, [benchmark], own_score)[benchmark]


def measured(params: Params, benchmarks: Iterable[str], measure: Measure) -> dict[str, Any]:
    """By benchmark what `measure` finds of the student that `params` train, now or earlier."""
    trainer, out = Trainer(params), Path(params.train.out)
    recipe_ = trainer.checkpoints.folder.name
    found = _found(out, recipe_)
    if found is None:
        if not trainer.run():
            trainer.stop.leave(first=True)
        found = {}
        _keep(out, recipe_, found)
    lacking = [name for name in benchmarks if name not in found]
    if lacking:
        student = Student.load(out / STUDENT, device=default_device()).eval()
    for name in lacking:
        found[name] = measure(params, name, student)
        _keep(out, recipe_, found)
    return {name: found[name] for name in benchmarks}


def _found(out: Path, recipe_: str) -> dict[str, Any] | None:
    """What was measured of the student that lies there; None if none of the recipe does."""
    path = out / SCORES
    try:
        kept = json.loads(path.read_text())
        return kept["top1"] if kept["recipe"] == recipe_ else None
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path}: not what eval.ablate wrote ({error}); delete {out}") from None


def _keep(out: Path, recipe_: str, scores: dict[str, Any]) -> None:
    write_atomically(out / SCORES, json.dumps({"recipe": recipe_, "top1": scores}).encode())


def ablation_table(benchmark: str, scores: dict[str, list[float]]) -> Table:
    """Mean, spread and every seed's score, in per cent."""
    table = Table(title=f"{benchmark}: zero-shot score (%)")
    for column in ("variant", "mean", "standard deviation", "seeds"):
        table.add_column(column)
    for name, values in scores.items():
        spread = f"{100 * stdev(values):.1f}" if len(values) > 1 else "-"
        each = ", ".join(f"{100 * value:.1f}" for value in values)
        table.add_row(name, f"{100 * mean(values):.1f}", spread, each)
    return table


def run_name(variant: str, seed: int) -> str:
    """Name of a training's folder, of what it leaves out and its seed."""
    return f"{variant.replace(', ', '-').replace(' ', '-')}-{seed}"

"""Trainings with and without a cached teacher, their scores, and the table of both."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

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
benchmark, whichever metric that has."""


def recipe_folder(params: Params) -> Path:
    """Where the runs of these settings, data and targets lie, whatever the seed."""
    seedless = replace(params, train=replace(params.train, seed=0))
    assembly = assemble(seedless, torch.device("cpu"), ranks=1)
    name = fingerprint(recipe(seedless, assembly), 6)
    return Path(params.train.out).parent / "ablate" / name


def trained_score(
    params: Params, out: Path, teachers: tuple[str, ...], seed: int, benchmark: str
) -> float:
    """Score of a student trained into `out` with `teachers` from `seed`, or earlier from there."""
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
        scores[benchmark] = score(changed, benchmark, student).own("student")
        _keep(out, recipe_, scores)
    return scores[benchmark]


def _scores_of(out: Path, recipe_: str) -> dict[str, float] | None:
    """Benchmark -> score of the student that lies there; None if none of the recipe does."""
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

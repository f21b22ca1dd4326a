"""The parts of the cross-validation: each leaves what it made, and goes on from what it finds."""

import json
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from demo import nano_clip, nano_mae, nano_recon, nano_ulip
from demo import nano_vitlens as vitlens
from demo.ablation.folds import held_out, write_fold
from demo.ablation.settings import Budget, fold_params, pack_of, teachers_folder
from demo.ablation.variants import Variant
from eval.ablation import measured
from eval.benchmark_scores import score
from pipeline.atomic import write_atomically
from pipeline.config import Params
from pipeline.preparation import prepare
from stage1_extract.client import extract
from stage1_extract.extractor import Extractor
from stage1_extract.progress import ExtractionProgress
from stage2_train.student import Student

DATA = "data"
_DONE = "done.json"


@dataclass(frozen=True)
class Part:
    """What one process does at a time."""

    fold: int
    what: str | Variant
    """`data`, a teacher's name, or a student."""

    @property
    def name(self) -> str:
        """Within its fold."""
        return self.what if isinstance(self.what, str) else f"student-{self.what.folder}"

    def __str__(self) -> str:
        return f"fold {self.fold}, {self.name}"


@dataclass(frozen=True)
class Done:
    """What a part found."""

    found: Any
    """Of a teacher its scores; of a student benchmark -> sample -> whether it was right."""
    seconds: float
    """That the part took, those of earlier runs included."""


@dataclass(frozen=True)
class Crossvalidation:
    """Does parts; what they print goes to log.txt of their fold."""

    params: Params
    """The run's own."""
    root: Path
    """Folder of all folds."""
    budget: Budget

    def __call__(self, part: Part) -> Done:
        """Do a part, or what is left of it."""
        folder = self.root / f"fold-{part.fold}"
        folder.mkdir(parents=True, exist_ok=True)
        spent, started = folder / "seconds" / f"{part.name}.json", time.monotonic()
        with (
            (folder / "log.txt").open("a", buffering=1) as log,
            redirect_stdout(log),
            redirect_stderr(log),
            torch.random.fork_rng(devices=[]),
        ):
            torch.manual_seed(self.params.seed)  # stochastic depth draws from torch's own generator
            found = self._done(part, folder)
        seconds = _read(spent, 0.0) + time.monotonic() - started
        write_atomically(spent, json.dumps(round(seconds, 1)).encode())
        return Done(found, seconds)

    def _done(self, part: Part, folder: Path) -> Any:
        params = fold_params(self.params, folder, self.budget)
        if isinstance(part.what, Variant):
            return train_student(params, part.what)
        if part.what == DATA:
            return self._prepare(params, part.fold, folder)
        return make_teacher(params, part.what, folder, self.budget)

    def _prepare(self, params: Params, fold: int, folder: Path) -> None:
        pack = pack_of(self.params)
        write_fold(pack, folder / "pack", held_out(pack, self.budget.folds)[fold])
        for name, source in params.sources.items():
            for split in source.splits:
                prepare(params, name, split, Path(source.raw))


def make_teacher(params: Params, name: str, folder: Path, budget: Budget) -> Any:
    """Train a nano teacher on the fold's train split, unless it lies there, and fill its stores.

    Returns:
        Its scores on the fold's held-out objects.
    """
    out = teachers_folder(folder) / name
    reached = _read(out / _DONE, None)
    if reached is None:
        reached = _makers(folder / "pack", teachers_folder(folder), budget)[name]()
        write_atomically(out / _DONE, json.dumps(reached).encode())
    names = [key for key, pair in params.extract.items() if pair.teacher == name]
    with ExtractionProgress(", ".join(names)) as progress:
        extract(params, names, Extractor(params), progress)
    return reached


def _makers(pack: Path, home: Path, budget: Budget) -> dict[str, Callable[[], Any]]:
    clip = home / "clip"
    depth = replace(vitlens.LENSES[0], epochs=budget.vitlens_epochs)
    return {
        "clip": lambda: nano_clip.make(pack, clip, budget.clip_steps),
        "ulip": lambda: nano_ulip.make(pack, clip, home / "ulip", budget.ulip_epochs),
        "vitlens": lambda: vitlens.make(pack, clip, home / "vitlens", [depth])["depth"],
        "recon": lambda: nano_recon.make(pack, clip, home / "recon", budget.recon_epochs),
        "multimae": lambda: nano_mae.make(pack, home / "multimae", budget.mae_epochs),
    }


def train_student(params: Params, variant: Variant) -> dict[str, dict[str, bool]]:
    """Train a student with a variant's teachers and projector, unless it lies there.

    Returns:
        Benchmark -> held-out sample -> whether the zero-shot answer was right.
    """
    teachers = [key for key, pair in params.extract.items() if pair.teacher in variant.teachers]
    trained = replace(
        params,
        student=replace(params.student, projector=variant.projector),
        train=replace(
            params.train,
            teachers=(*params.train.teachers, *teachers),
            out=str(Path(params.train.out) / variant.folder),
        ),
    )
    return measured(trained, trained.benchmarks, answers)


def answers(params: Params, benchmark: str, student: Student) -> dict[str, bool]:
    """Held-out sample -> whether the student's zero-shot answer is right."""
    result = score(params, benchmark, student)
    predictions = result.by_model["student"].predictions
    assert predictions is not None, "objects have one class each"
    right = (predictions == result.task.labels).tolist()
    return dict(zip(result.task.data.keys, right))


def _read(path: Path, default: Any) -> Any:
    return json.loads(path.read_text()) if path.exists() else default

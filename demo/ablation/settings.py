"""What a fold trains with: the run's own params, over the fold's pack, teachers and folders."""

from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config import Params
from pipeline.config.data import ExtractionConfig, SourceConfig, TeacherConfig
from pipeline.config.evaluation import BenchmarkConfig
from pipeline.errors import UserError

MODALITIES = ("image", "points", "depth")
SCORED = {"points": "ulip", "depth": "vitlens"}
"""Benchmark, named as its modality -> the teacher in whose place the student is scored."""


@dataclass(frozen=True)
class Budget:
    """How long each part of a fold trains; the defaults are what the tables are made with.

    ULIP and ViT-Lens train as long as the committed ones, CLIP three eighths, the student half as
    long as the demo's: a specialist that knows no more than the student has nothing to teach. Five
    folds of Table 3 took 12,680 s of work: an hour and three quarters on two cores.
    """

    folds: int = 5
    clip_steps: int = 900
    ulip_epochs: int = 24
    vitlens_epochs: int = 40
    recon_epochs: int = 60
    mae_epochs: int = 40
    student_epochs: int = 6
    """Of points, depth and image alone."""
    views: int = 2
    """Cached views of a sample."""


def teachers_folder(folder: Path) -> Path:
    """Of the nano teachers of the fold in `folder`."""
    return folder / "teachers"


def pack_of(params: Params) -> Path:
    """Folder of the embedded pack."""
    return Path(params.sources[source_of(params.sources, "points")].raw)


def fold_params(params: Params, folder: Path, budget: Budget) -> Params:
    """The params of the fold in `folder`, whose student has no teacher but CLIP yet.

    Raises:
        UserError: the params lack a source of points, depth or images.
    """
    pack, home = str(folder / "pack"), teachers_folder(folder)
    sources = {
        name: replace(source, raw=pack)
        for name, source in params.sources.items()
        if source.modality in MODALITIES
    }
    weights = {name: w for name, w in params.train.sources.items() if name in sources}
    extract = {f"clip-{name}": ExtractionConfig(teacher="clip", source=name) for name in weights}
    modality_of = {"ulip": "points", "recon": "points", "vitlens": "depth", "multimae": "depth"}
    places = {modality: source_of(sources, modality) for modality in SCORED}
    for teacher, modality in modality_of.items():
        source = places[modality]
        extract[f"{teacher}-{source}"] = ExtractionConfig(teacher=teacher, source=source)
    trained = replace(
        params.train, teachers=tuple(f"clip-{name}" for name in weights), sources=weights,
        epochs=budget.student_epochs, loader_workers=0, out=str(folder / "runs"), score_every=None,
    )  # fmt: skip
    clip = f"local-dir:{home / 'clip'}"
    return replace(
        params, shards=str(folder / "shards"), cache=str(folder / "cache"), sources=sources,
        views=replace(params.views, count=budget.views), teacher_files=str(home),
        teachers=_teachers(params, home, clip), extract=extract, train=trained,
        student=replace(params.student, modalities=MODALITIES, arch=clip, weights=None),
        benchmarks={
            name: BenchmarkConfig(source=places[name], teacher=teacher)
            for name, teacher in SCORED.items()
        },
    )  # fmt: skip


def source_of(sources: dict[str, SourceConfig], modality: str) -> str:
    """Name of the first source of a modality.

    Raises:
        UserError: there is none.
    """
    for name, source in sources.items():
        if source.modality == modality:
            return name
    raise UserError(f"sources: expected one of {modality} in the params file, found none")


def _teachers(params: Params, home: Path, clip: str) -> dict[str, TeacherConfig]:
    def of(name: str, arch: str, weights: str) -> TeacherConfig:
        return TeacherConfig(arch=str(home / name / arch), weights=str(home / name / weights))

    return {
        "clip": replace(params.teachers["clip"], arch=clip, weights=None, sha256=None),
        "ulip": of("ulip", "arch.json", "checkpoint.pt"),
        "vitlens": of("vitlens", "depth.json", "vitlens.pt"),
        "recon": of("recon", "arch.json", "checkpoint.pt"),
        "multimae": of("multimae", "arch.json", "checkpoint.pt"),
    }

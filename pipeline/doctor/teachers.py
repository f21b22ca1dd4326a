"""Weights: of every teacher that a recipe pairs with a source, and of the student's CLIP."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.config import Params
from pipeline.config.data import Model
from pipeline.doctor.finding import Finding, State
from pipeline.errors import UserError
from pipeline.openclip import arch_file, local_dir, weights_here
from pipeline.torch_file import check_container
from pipeline.weights import file_sha256
from stage1_extract.estimate import card_of


def teachers(params: Params, *, deep: bool) -> Iterator[Finding]:
    """A finding for each model; `deep` hashes its weights."""
    for name, model in _models(params):
        state, text = _model(name, model, deep=deep)
        folder = Path(params.teacher_files) / name
        if state == "there" and not folder.is_dir():
            state = "missing"
            text += f"; expected the folder {folder}, which dvc watches: run: mkdir -p {folder}"
        yield Finding("teacher", f"{name} {model.arch}", state, text)
    own = Model(params.student.arch, params.student.weights)
    yield Finding("student", own.arch, *_model("clip", own, deep=deep))


def _models(params: Params) -> dict[tuple[str, Model], None]:
    """Those that run over some source, in their order."""
    pairs = [(pair.teacher, pair.source) for pair in params.extract.values()]
    pairs += [(mark.teacher, mark.source) for mark in params.benchmarks.values()]
    return dict.fromkeys(
        (name, config.model(params.sources[source].modality))
        for name, config in params.teachers.items()
        for teacher, source in pairs
        if teacher == name
    )


def _model(teacher: str, model: Model, *, deep: bool) -> tuple[State, str]:
    try:
        card = card_of(teacher, model.arch) if local_dir(model.arch) is None else None
        file = weights_here(model.arch, model.weights)
        described = arch_file(model.arch)
        if described.suffix == ".json" and not described.is_file():
            return "missing", f"{described}: describes the architecture; no such file"
        if file is None:
            origin = f"{card.weights} ({card.licence})" if card else "expected there"
            return "missing", f"{model.weights or model.arch}: {origin}"
        check_container(file)
    except UserError as error:
        return "wrong", str(error)
    return _hashed(file, model.sha256) if deep else _unhashed(file, model.sha256)


def _hashed(file: Path, pinned: str | None) -> tuple[State, str]:
    found = file_sha256(file)
    if pinned not in (None, found):
        return "wrong", f"{file}: expected sha256 {pinned}, found {found}; download it again"
    return "there", f"{file}: sha256 {found}" + (", as pinned" if pinned else "")


def _unhashed(file: Path, pinned: str | None) -> tuple[State, str]:
    size = f"{file.stat().st_size / 1e6:,.0f} MB"
    return "there", f"{file}: {size}" + ("; --deep compares its sha256" if pinned else "")

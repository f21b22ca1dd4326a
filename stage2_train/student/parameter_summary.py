"""The table of trainable parameters: which part, which modality, how many."""

from collections import Counter
from dataclasses import dataclass

from torch import nn

from pipeline.config import Params
from pipeline.store import Provenance, store_path
from stage2_train.student.model import Student
from stage2_train.student.projectors import FeatureProjectors
from stage2_train.student.untrained_clip import untrained_openclip

EVERY_MODALITY = "shared"


@dataclass(frozen=True)
class ParameterSummary:
    """Trainable parameters by part; `str()` draws the table."""

    student: dict[tuple[str, str], int]
    """(part, modality or `shared`) -> parameters; parts: tokenizer, experts, router, scale."""
    projectors: dict[str, int]
    """Teacher -> parameters of its projector; used while training only."""

    @property
    def total(self) -> int:
        """Trainable parameters without the projectors: the paper's figure."""
        return sum(self.student.values())

    def __str__(self) -> str:
        rows = [(*key, count) for key, count in self.student.items()]
        rows.append(("student", "total", self.total))
        rows += [("projector", teacher, count) for teacher, count in self.projectors.items()]
        if self.projectors:
            rows.append(("projectors", "total", sum(self.projectors.values())))
        return "\n".join(f"{part:<12}{owner:<24}{count:>12,}" for part, owner, count in rows)


def summarise(student: Student, projectors: FeatureProjectors | None = None) -> ParameterSummary:
    """Count every trainable parameter once, told apart by its name."""
    counts: Counter[tuple[str, str]] = Counter()
    for name, parameter in student.trainable().items():
        counts[_part(name), _owner(name, student.config.modalities)] += parameter.numel()
    by_teacher: dict[str, int] = {}
    if projectors is not None:
        by_teacher = {teacher: _count(head) for teacher, head in projectors.heads.items()}
    return ParameterSummary(dict(sorted(counts.items())), by_teacher)


def planned_summary(params: Params) -> str:
    """The table of a recipe, before there are data or weights; a teacher without a store, which
    tells how wide its features are, stands without its projector's count."""
    student = Student(untrained_openclip(params.student.arch), params.student)
    dims: dict[str, int | None] = {}
    for name in params.train.teachers:
        pair = params.extract[name]
        if pair.teacher != params.train.anchor:
            dims[pair.teacher] = dims.get(pair.teacher) or _stored_dim(params, name)
    known = {teacher: dim for teacher, dim in dims.items() if dim is not None}
    projectors = FeatureProjectors(student.width, known, params.student.projector)
    missing = [teacher for teacher in dims if teacher not in known]
    lines = [f"{'projector':<12}{teacher:<24}{'no store yet':>12}" for teacher in missing]
    return "\n".join([str(summarise(student, projectors)), *lines])


def _stored_dim(params: Params, extraction: str) -> int | None:
    pair = params.extract[extraction]
    path = store_path(params.cache, pair.teacher, pair.source, "train")
    return Provenance.read(path, "").determines["storage"]["dim"] if path.is_dir() else None


def _part(name: str) -> str:
    if name.startswith("tokenizers."):
        return "tokenizer"
    if name.startswith("experts."):
        return "router" if ".router" in name else "experts"
    return name


def _owner(name: str, modalities: tuple[str, ...]) -> str:
    return next((m for m in modalities if m in name.split(".")), EVERY_MODALITY)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())

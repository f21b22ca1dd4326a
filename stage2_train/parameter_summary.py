"""The table of trainable parameters: which part, which modality, how many."""

from collections import Counter
from dataclasses import dataclass

from torch import nn

from stage2_train.projectors import FeatureProjectors
from stage2_train.student import Student

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

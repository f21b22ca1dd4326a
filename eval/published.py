"""What others report on a benchmark, to stand beside ours: eval/published.yaml."""

from functools import cache
from pathlib import Path

import msgspec

from eval.protocol import read_yaml

FILE = Path(__file__).parent / "published.yaml"
STUDENT = "student"


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model on one benchmark; scores in per cent, named as in metrics.json."""

    protocol: str
    model: str
    """`student`, or the arch of a teacher."""
    source: str
    weights: str | None = None
    """File of a teacher; None: whichever."""
    variant: str | None = None
    """Of the student: its projector, or with which teachers it was trained."""
    note: str | None = None
    top1: float | None = None
    top5: float | None = None
    folds: float | None = None
    map: float | None = None
    from_text_r1: float | None = None
    from_text_r10: float | None = None

    @property
    def scores(self) -> dict[str, float]:
        """Fractions of 1, by name."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return {n: round(v / 100, 4) for n, v in values.items() if isinstance(v, float)}


@cache
def rows() -> list[Row]:
    """All of them."""
    return read_yaml(FILE, list[Row])


def published_student(protocol: str | None, projector: str) -> dict[str, float]:
    """What the paper reports of a student with this projector; empty where it reports nothing."""
    return _first(protocol, STUDENT, None, projector)


def published_teacher(protocol: str | None, arch: str, weights: str | None) -> dict[str, float]:
    """What its authors report of a teacher with these weights; empty where they report nothing."""
    return _first(protocol, arch, weights and Path(weights).name, None)


def _first(
    protocol: str | None, model: str, weights: str | None, variant: str | None
) -> dict[str, float]:
    for row in rows():
        known = (row.protocol, row.model, row.variant) == (protocol, model, variant)
        if known and row.weights in (None, weights):
            return row.scores
    return {}

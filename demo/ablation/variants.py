"""The rows of the supplement's Tables 2 and 3: what is distilled, through which projector."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Variant:
    """A student: one training in each fold."""

    folder: str
    """Name of its runs."""
    teachers: tuple[str, ...] = ()
    """What is distilled beside CLIP's anchors."""
    projector: Literal["linear", "mlp"] = "mlp"


@dataclass(frozen=True)
class Row:
    """A variant in a table, and what the paper reports of it there, in per cent."""

    name: str
    variant: Variant
    published: dict[str, float]
    """Benchmark -> top-1: of depth SUN-D's, of points ModelNet40's."""


BASELINE, FULL = Variant("baseline"), Variant("vitlens-ulip", ("vitlens", "ulip"))
TABLES = {
    2: (
        Row(
            "linear projector",
            Variant("vitlens-ulip-linear", ("vitlens", "ulip"), "linear"),
            {"points": 55.3, "depth": 45.2},
        ),
        Row("MLP projector", FULL, {"points": 55.9, "depth": 45.8}),
    ),
    3: (
        Row("baseline", BASELINE, {"points": 40.9, "depth": 42.3}),
        Row(
            "+ depth: MultiMAE", Variant("multimae", ("multimae",)), {"points": 41.1, "depth": 43.3}
        ),
        Row("+ depth: ViT-Lens", Variant("vitlens", ("vitlens",)), {"points": 41.3, "depth": 45.1}),
        Row("+ 3D: ReCon", Variant("recon", ("recon",)), {"points": 52.7, "depth": 42.6}),
        Row("+ 3D: ULIP", Variant("ulip", ("ulip",)), {"points": 55.1, "depth": 42.9}),
        Row("+ ViT-Lens and ULIP", FULL, {"points": 55.6, "depth": 45.4}),
    ),
}
"""By the supplement's number; a table's first row is what the others are compared with."""
TITLES = {
    2: "Feature projector (supplement, Table 2)",
    3: "Distillation from partial-modal teachers (supplement, Table 3)",
}

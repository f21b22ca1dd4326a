"""How much each modality uses each expert, layer by layer."""

from dataclasses import dataclass

from eval.report.held_out import HeldOut
from stage2_train.student import Student


@dataclass(frozen=True)
class ExpertUse:
    """One modality's heat map."""

    modality: str
    experts: list[str]
    layers: list[str]
    shares: list[list[float]]
    """[expert][layer], of the choices of the layer's router; a layer's sum to 1."""


def expert_use(student: Student, held_out: HeldOut) -> list[ExpertUse]:
    """Over the held-out items of each modality."""
    counts = student.config.experts
    names = [
        *(f"shared {number + 1}" for number in range(counts.shared)),
        *(f"own {number + 1}" for number in range(counts.owned)),
    ]
    layers = _layers(len(student.experts), student.config.adapt_attention)
    return [
        ExpertUse(modality, names, layers, use.T.tolist()) for modality, use in held_out.use.items()
    ]


def _layers(blocks: int, attention: bool) -> list[str]:
    """Names of the routers: of each block its attention's, where it has one, and its MLP's."""
    kinds = ("attention", "MLP") if attention else ("",)
    return [f"{block + 1} {kind}".strip() for block in range(blocks) for kind in kinds]

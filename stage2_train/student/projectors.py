"""Heads from the student's features to each teacher's own space (supplement 2.2, Table 2)."""

from collections.abc import Mapping
from typing import Literal

from torch import Generator, Tensor, nn

from pipeline.unknown_name import unknown_name
from stage2_train.student.initialise import linear


class FeatureProjectors(nn.Module):
    """One projector for each teacher; needed while training only.

    Args:
        width: of the student's hidden features.
        dims: teacher -> dimension of its features.
        kind: `linear`, or `mlp`: two linears with a GELU between, `width` wide inside.
        seed: of the first weights.
    """

    def __init__(
        self, width: int, dims: Mapping[str, int], kind: Literal["linear", "mlp"], *, seed: int = 0
    ) -> None:
        super().__init__()
        generator = Generator().manual_seed(seed)
        self.dims = dict(dims)
        self.heads = nn.ModuleDict(
            {name: _head(width, dim, kind, generator) for name, dim in dims.items()}
        )

    def forward(self, teacher: str, hidden: Tensor) -> Tensor:
        """Predicted features [B, dim of the teacher] from hidden ones [B, width]."""
        if teacher not in self.heads:
            raise unknown_name("teacher", teacher, self.heads)
        return self.heads[teacher](hidden)


def _head(width: int, dim: int, kind: str, generator: Generator) -> nn.Module:
    if kind == "linear":
        return linear(width, dim, generator)
    return nn.Sequential(linear(width, width, generator), nn.GELU(), linear(width, dim, generator))

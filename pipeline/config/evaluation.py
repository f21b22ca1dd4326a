"""What a trained student is scored on."""

from dataclasses import dataclass
from typing import Literal

Metric = Literal["top1", "map", "folds", "retrieval"]


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Zero-shot scores of a source's held-out split."""

    source: str
    """Name in `sources`."""
    teacher: str
    """Name in `teachers`: the specialist whose own score stands beside the student's."""
    split: str = "test"
    """Split to score; it must be among the source's splits."""
    protocol: str | None = None
    """File in eval/protocols/ that says how a published benchmark is scored."""
    metric: Metric | None = None
    """Without a protocol. Default: `retrieval` of captions where the source has no classes, `map`
    where a sample has several labels, `folds` where each tells its fold, else `top1`."""
    windows: int | None = None
    """Without a protocol: evenly spaced windows of a sound whose features are averaged; default 1,
    the middle."""

    def __post_init__(self) -> None:
        if self.windows is not None and not 1 <= self.windows <= 100:
            raise ValueError(f"windows must be within 1..100, found {self.windows}")
        if self.protocol is not None and (self.metric or self.windows):
            raise ValueError(f"protocol {self.protocol} fixes metric and windows: leave them out")

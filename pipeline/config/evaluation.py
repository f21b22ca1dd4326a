"""What a trained student is scored on."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Zero-shot classification of a source's held-out split."""

    source: str
    """Name in `sources`."""
    teacher: str
    """Name in `teachers`: the specialist whose own score stands beside the student's."""
    split: str = "test"
    """Split to score; it must be among the source's splits."""

"""Names that a split list gives."""

from collections import Counter
from collections.abc import Iterable

from pipeline.datasets import noted


def listed_once(names: Iterable[str], where: str) -> tuple[list[str], tuple[str, ...]]:
    """The names in their order, each once, and a note of those that `where` names twice."""
    counts = Counter(names)
    twice = [name for name, count in counts.items() if count > 1]
    return list(counts), noted(f"names are in {where} more than once", twice)

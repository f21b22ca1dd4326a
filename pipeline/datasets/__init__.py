"""One file a dataset: its official layout, read unchanged.

A converter is a module with `read(raw: Path, split: str) -> RawDataset`. Listing must be cheap;
the bytes of an item are read one at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import UserError


@dataclass(frozen=True)
class RawItem:
    """One sample of the raw dataset."""

    key: str
    """Unique and stable; without dots, which end a key in a WebDataset tar."""
    read: Callable[[], dict[str, bytes]]
    """Its members (`image.webp`, `points.npy`, `text.json`, `meta.json`, ...)."""

    def __post_init__(self) -> None:
        if not self.key or "." in self.key:
            raise UserError(f"sample key '{self.key}': expected a non-empty name without dots")


@dataclass(frozen=True)
class RawDataset:
    """A listed split."""

    items: list[RawItem]
    classes: list[str]
    """Label names in the dataset's own spelling; `labels` in meta.json index into them."""
    members: tuple[str, ...]
    """Members every sample must have, readable: `image`, `points`."""
    licence: str

"""One file a dataset: its official layout, read unchanged.

A converter is a module with `read(raw: Path, split: str) -> RawDataset`. Listing must be cheap;
the bytes of an item are read one at a time.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import UserError

_KEY = re.compile(r"(?!__|/)[^.\x00-\x1f\x7f\ud800-\udfff]+(?<!/)")


@dataclass(frozen=True)
class RawItem:
    """One sample of the raw dataset."""

    key: str
    """Unique and stable. Dots end a key in a WebDataset tar, a leading `__` hides the sample."""
    read: Callable[[], dict[str, bytes]]
    """Its members (`image.webp`, `points.npy`, `text.json`, `meta.json`, ...)."""

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise UserError(
                f"sample key {self.key!r}: expected printable characters without dots, "
                "not beginning with __ and not beginning or ending with /"
            )


@dataclass(frozen=True)
class RawDataset:
    """A listed split."""

    items: list[RawItem]
    classes: list[str]
    """Label names in the dataset's own spelling; `labels` in meta.json index into them."""
    members: tuple[str, ...]
    """Members every sample must have, readable: `image`, `points`."""
    licence: str

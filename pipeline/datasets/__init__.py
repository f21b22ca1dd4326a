"""One file a dataset: its official layout, read unchanged.

A converter is a module with `read(raw: Path, split: str) -> RawDataset`. Listing must be cheap;
the bytes of an item are read one at a time. One of a public dataset says its `LICENCE`, its `HOME`,
where to get it, and its `SIZE`, roughly, as downloaded. What several share: `folders`, `tables`,
`hdf5`, `files`, `labels`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import UserError

_KEY = re.compile(r"(?!__|/)[^.\x00-\x1f\x7f\ud800-\udfff]+(?<!/)")
_MANGLED = re.compile(r"[.\x00-\x1f\x7f\ud800-\udfff]")
NAMED = 3
"""Names that a note lists."""


@dataclass(frozen=True, slots=True)
class RawItem:
    """One sample of the raw dataset; every process that prepares it holds all of them."""

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
    expected: int | None = None
    """Samples of the official split. Where another number is there the preparation says so and
    goes on: downloads are often partial. `samples` of the source takes its place."""
    exact: bool = False
    """A benchmark's fixed list: another number than expected is refused, because its scores stand
    beside nobody's; whoever wants them sets `samples` of the source to what is there."""
    class_words: list[str] | None = None
    """What prompts call the classes, one each, where that is not their official spelling."""
    notes: tuple[str, ...] = ()
    """What is left out, or otherwise than in the official release: one line each, printed."""


def key_of(name: str) -> str:
    """A sample key made of a file's path or an id: dots and what cannot be seen become `-`."""
    key = _MANGLED.sub("-", name.strip("/"))
    return f"-{key}" if key.startswith("__") else key


def noted(what: str, names: list[str]) -> tuple[str, ...]:
    """A note that counts and names: `3 files of no known kind: a, b, c`; none where none are."""
    if not names:
        return ()
    more = ", ..." if len(names) > NAMED else ""
    return (f"{len(names):,} {what}: {', '.join(names[:NAMED])}{more}",)


def known_split(split: str, *known: str) -> str:
    """The split, where the dataset has it.

    Raises:
        UserError: it has others.
    """
    if split not in known:
        raise UserError(
            f"no split '{split}': this dataset has {', '.join(known)}; mend `splits` of the source"
        )
    return split

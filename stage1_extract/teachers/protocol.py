"""What a teacher is: a small protocol, and the card that describes one before it is loaded."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from pipeline.errors import UserError
from pipeline.unknown_name import unknown_name
from pipeline.weights import file_sha256, resolve_weights

Modality = Literal["image", "points", "depth", "audio"]


@dataclass(frozen=True, kw_only=True)
class Card:
    """One architecture of a teacher, as `python -m stage1_extract --list` shows it."""

    name: str
    """The teacher's name in the registry."""
    arch: str
    """Architecture name; for a family, the words that describe it."""
    modality: Modality
    """Modality of the canonical view it reads."""
    dim: int
    """Width of its feature; 0 where it depends on the architecture of a family."""
    text_space: str | None
    """The text encoder whose space its features share, None without one."""
    weights: str
    """The published file, as its authors name it, and where they keep it."""
    licence: str
    """Licence of code and weights."""
    source: str
    """Repository and revision whose numbers are reproduced."""
    preprocessing: str
    """What happens between canonical view and model input, in words."""


class Teacher(Protocol):
    """A frozen specialist model; features are the official ones, un-normalised."""

    @property
    def name(self) -> str:
        """The teacher's name in the registry."""

    @property
    def arch(self) -> str:
        """Architecture name, or the path of the file that describes it."""

    @property
    def modality(self) -> str:
        """Modality of the canonical view it reads: image, points, depth or audio."""

    @property
    def dim(self) -> int:
        """Width of its features."""

    @property
    def text_space(self) -> str | None:
        """The text encoder whose space its features share, None without one."""

    @property
    def licence(self) -> str:
        """Licence of code and weights."""

    @property
    def source(self) -> str:
        """Repository and revision whose numbers are reproduced."""

    @property
    def files(self) -> Sequence[Path]:
        """All files that its numbers depend on."""

    @property
    def provenance(self) -> dict[str, str]:
        """What determines its numbers: teacher, arch, weights, weights_sha256, preprocessing."""

    def preprocess(self, view: np.ndarray) -> Tensor:
        """Turn one canonical view into one row of the official model's input, on the CPU."""

    def encode(self, batch: Tensor) -> Tensor:
        """Return features float32 [B, dim] of preprocessed views [B, ...], without gradients."""

    def encode_text(self, prompts: Sequence[str]) -> Tensor | None:
        """Return features float32 [C, dim] of prompts in the text space, None without one."""


@runtime_checkable
class PreparesBatches(Protocol):
    """A teacher that on a GPU leaves its preprocessing, or some of it, to the GPU."""

    @property
    def raw(self) -> Callable[[Any], Tensor]:
        """Makes of a canonical view what crosses to the device; rows of equal views can be stacked.

        Worker processes call it: it holds no weights, and is equal where it does the same.
        """

    def prepare(self, batch: Tensor) -> Tensor:
        """`preprocess` of each view in a batch of `raw` rows, to rounding, on its device."""


@dataclass(frozen=True)
class Described:
    """The descriptive half of `Teacher`, read from a card; teachers inherit it."""

    card: Card
    weights: Path
    """The file that was loaded."""
    arch_file: Path | None = field(default=None, kw_only=True)
    """The file that describes the architecture, where the arch is no known name."""
    merges: Path | None = field(default=None, kw_only=True)
    """The tokenizer's file, where it is not open_clip's own."""

    @property
    def name(self) -> str:
        """The teacher's name in the registry."""
        return self.card.name

    @property
    def arch(self) -> str:
        """Architecture name, or the path of the file that describes it."""
        return self.card.arch

    @property
    def modality(self) -> str:
        """Modality of the canonical view it reads."""
        return self.card.modality

    @property
    def dim(self) -> int:
        """Width of its features."""
        return self.card.dim

    @property
    def text_space(self) -> str | None:
        """The text encoder whose space its features share, None without one."""
        return self.card.text_space

    @property
    def licence(self) -> str:
        """Licence of code and weights."""
        return self.card.licence

    @property
    def source(self) -> str:
        """Repository and revision whose numbers are reproduced."""
        return self.card.source

    @property
    def files(self) -> list[Path]:
        """All files that its numbers depend on."""
        return [path for path in (self.weights, self.arch_file, self.merges) if path]

    @property
    def provenance(self) -> dict[str, str]:
        """What determines its numbers; hashes the weights file at each call."""
        files = {"arch_sha256": self.arch_file, "merges_sha256": self.merges}
        hashed = {name: file_sha256(path) for name, path in files.items() if path}
        return hashed | {
            "teacher": self.name,
            "arch": self.arch,
            "weights": self.weights.name,
            "weights_sha256": file_sha256(self.weights),
            "preprocessing": self.card.preprocessing,
        }


def find_card(cards: Iterable[Card], arch: str) -> Card:
    """Return the card of `arch`; raises `UserError` with the nearest known name."""
    by_arch = {card.arch: card for card in cards}
    if arch not in by_arch:
        raise unknown_name("architecture", arch, by_arch)
    return by_arch[arch]


def published_file(card: Card, weights: str | None) -> Path:
    """Return the local file of `weights`; raises `UserError` naming the file that is wanted."""
    if weights is None:
        raise UserError(f"{card.arch} needs weights: the path of {card.weights}")
    return resolve_weights(weights)

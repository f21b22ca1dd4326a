"""CLIP: any open_clip model, for images, for video clips frame by frame, and for text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.openclip import DIR_CONFIG, LOCAL_DIR, OpenClip, Preprocessing, load_openclip
from stage1_extract.teachers.protocol import Card, Described, Teacher

ANY_MODEL = "any open_clip model"
CARDS = (
    Card(
        name="clip",
        arch=ANY_MODEL,
        modality="image",
        dim=0,
        text_space="its own text tower",
        weights="an open_clip tag such as openai, downloaded when first used, or its file",
        licence="code MIT; weights: per open_clip tag (openai MIT)",
        source="github.com/mlfoundations/open_clip",
        preprocessing="",
    ),
)


@dataclass(frozen=True)
class ClipTeacher(Described):
    """Image features of a frozen CLIP; a clip's feature is the mean of its frames'."""

    clip: OpenClip

    @property
    def files(self) -> list[Path]:
        """All files that its numbers depend on."""
        return self.clip.files

    @property
    def provenance(self) -> dict[str, str]:
        """What determines its numbers: also the CLIP's identity, which its student compares."""
        return super().provenance | self.clip.identity

    def preprocess(self, view: np.ndarray) -> Tensor:
        """Turn uint8 [3, H, W] or [T, 3, H, W] into float32 [3, S, S] or [T, 3, S, S]."""
        return _preprocessed(view, self.clip.preprocess)

    @property
    def raw(self) -> Callable[[np.ndarray], Tensor]:
        """Keeps the pixels of a view of the model's size; preprocesses any other."""
        return RawView(self.clip.preprocess)

    def prepare(self, batch: Tensor) -> Tensor:
        """Normalise uint8 [B, ..., 3, S, S] as `preprocess` does; floats come back as they are."""
        if batch.dtype != torch.uint8:
            return batch
        mean, std = (
            batch.new_tensor(c, dtype=torch.float32) for c in (self.clip.mean, self.clip.std)
        )
        return batch.float().div(255).sub(mean.view(3, 1, 1)).div(std.view(3, 1, 1))

    def encode(self, batch: Tensor) -> Tensor:
        """Return features float32 [B, dim] of images [B, 3, S, S] or clips [B, T, 3, S, S]."""
        if batch.ndim == 5:
            return self.clip.encode_image(batch.flatten(0, 1)).unflatten(0, batch.shape[:2]).mean(1)
        return self.clip.encode_image(batch)

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Return features float32 [C, dim] of prompts."""
        return self.clip.encode_text(prompts)


@dataclass(frozen=True)
class RawView:
    """`ClipTeacher.raw`."""

    preprocess: Preprocessing

    def __call__(self, view: np.ndarray) -> Tensor:
        """What crosses to the device of a canonical view."""
        own = view.shape[-2:] == (self.preprocess.image_size, self.preprocess.image_size)
        return torch.from_numpy(view) if own else _preprocessed(view, self.preprocess)


def _preprocessed(view: np.ndarray, preprocess: Preprocessing) -> Tensor:
    if view.ndim == 4:
        return torch.stack([preprocess(frame) for frame in view])
    return preprocess(view)


def load(arch: str, weights: str | None, device: str) -> Teacher:
    """Load an open_clip model by name, or `local-dir:PATH`; see `pipeline.openclip`."""
    if arch == ANY_MODEL:
        raise UserError("teacher 'clip' needs an arch: an open_clip model name or local-dir:PATH")
    arch = arch.removeprefix("clip:")
    clip = load_openclip(arch, weights, device)
    card = replace(
        CARDS[0],
        arch=arch,
        dim=clip.embed_dim,
        text_space=f"open_clip {arch}",
        preprocessing=clip.preprocessing,
    )
    described = clip.weights.with_name(DIR_CONFIG) if arch.startswith(LOCAL_DIR) else None
    return ClipTeacher(card, clip.weights, clip, arch_file=described)

"""What a nano ViT-Lens is trained and scored on: a source of the pack, decoded, with its texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from demo.frozen_clip import image_features
from demo.training_data import draw
from pipeline.config.data import ViewsConfig
from pipeline.datasets import RawDataset
from pipeline.openclip import OpenClip
from pipeline.samples import decode_member, decode_text
from pipeline.views import EVALUATION, ViewMaker, chain_for

SIZES = ViewsConfig(count=1, image_size=64, audio_seconds=2.0)
"""The demo's canonical views."""
_LABEL_SHARE = 0.7  # of the captions of a sample with a class; the others are its own


@dataclass(frozen=True)
class LensSample:
    """One sample of one modality."""

    key: str
    decoded: Any
    """Its decoded member."""
    label: str | None
    captions: tuple[str, ...]

    @property
    def concept(self) -> str:
        """What makes two samples positives of each other: the class, or else the first caption."""
        return self.label or self.captions[0]

    def draw_caption(self, templates: Sequence[str], generator: Generator) -> str:
        """One caption at random: a prompt of its class, or one of its own."""
        if self.label and float(torch.rand((), generator=generator)) < _LABEL_SHARE:
            return draw(templates, generator).format(self.label)
        return draw(self.captions, generator)


def load_source(pack: Path, converter: str, split: str) -> RawDataset:
    """A split of the pack through the converter that `pipeline.prepare` uses."""
    return import_module(f"pipeline.datasets.{converter}").read(pack, split)


def load_samples(source: RawDataset, modality: str) -> list[LensSample]:
    """Every sample of a split."""
    return [_sample(item.key, item.read(), modality, source.classes) for item in source.items]


def paired_images(source: RawDataset, clip: OpenClip) -> Tensor | None:
    """The frozen CLIP's features [N, dim] of the paired images; None for a source without."""
    if "image" not in source.members:
        return None
    maker = ViewMaker(chain_for("image", "image"), 0, SIZES)
    views = [
        maker(decode_member(item.read(), "image"), item.key, EVALUATION).array
        for item in source.items
    ]
    return image_features(clip, torch.from_numpy(np.stack(views)))


def _sample(key: str, members: dict[str, bytes], modality: str, classes: list[str]) -> LensSample:
    text = decode_text(members)
    label = classes[text.labels[0]] if text.labels else None
    return LensSample(key, decode_member(members, modality), label, text.captions)

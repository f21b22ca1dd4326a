"""The pack in memory, as the nano teachers are trained and scored on it."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from demo.cameras import CAMERAS
from pipeline.datasets.reading.pack import PackZip, records
from pipeline.prompts import MODELNET40_64, PHOTO

TEMPLATES = MODELNET40_64 + PHOTO
_LABEL_SHARE, _NAME_SHARE = 0.5, 0.3  # of the captions; the others are the record's own


@dataclass(frozen=True)
class Subject:
    """What a picture or an object shows, in words."""

    id: str
    label: str | None
    """Its class, if it has one."""
    name: str
    captions: tuple[str, ...]

    @property
    def concept(self) -> str:
        """What makes two subjects positives of each other: the class, or else the name."""
        return self.label or self.name

    def draw_caption(self, generator: torch.Generator) -> str:
        """One caption at random: a prompt of its class or of its name, or one of its own."""
        kind = float(torch.rand((), generator=generator))
        if kind < _LABEL_SHARE + _NAME_SHARE:
            words = self.concept if kind < _LABEL_SHARE else self.name
            return draw(TEMPLATES, generator).format(words)
        return draw(self.captions, generator)


def load_subjects(pack: Path, part: str, split: str) -> list[Subject]:
    """The subjects of `part` (`objects` or `pictures`), in the pack's order."""
    return [_subject(line) for line in records(pack, part, split)]


def load_classes(pack: Path) -> list[str]:
    """The class names of the objects."""
    return json.loads((pack / "classes.json").read_text())["objects"]


def load_renders(pack: Path, subjects: Sequence[Subject], size: int) -> Tensor:
    """uint8 [objects, cameras, 3, size, size]."""
    archive = PackZip(pack / "renders.zip")
    return torch.stack(
        [
            torch.stack(
                [
                    _image(archive.read(f"{subject.id}/{camera.name}.webp"), size)
                    for camera in CAMERAS
                ]
            )
            for subject in subjects
        ]
    )


def load_pictures(pack: Path, subjects: Sequence[Subject], size: int) -> Tensor:
    """uint8 [pictures, 3, size, size]."""
    archive = PackZip(pack / "pictures.zip")
    return torch.stack([_image(archive.read(f"{s.id}.webp"), size) for s in subjects])


def load_clouds(pack: Path, subjects: Sequence[Subject]) -> list[np.ndarray]:
    """One float16 [1536,3] an object."""
    archive = PackZip(pack / "points.zip")
    return [np.load(io.BytesIO(archive.read(f"{s.id}.npy")), allow_pickle=False) for s in subjects]


def draw(choices: Sequence[str], generator: torch.Generator) -> str:
    """One of `choices`, uniformly."""
    return choices[int(torch.randint(len(choices), (), generator=generator))]


def _subject(line: dict[str, Any]) -> Subject:
    return Subject(line["id"], line.get("class"), line["name"].lower(), tuple(line["captions"]))


def _image(content: bytes, size: int) -> Tensor:
    image = Image.open(io.BytesIO(content)).convert("RGB")
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)

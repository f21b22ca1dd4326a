"""A gallery of five modalities with true media, whose neighbours are known."""

import numpy as np
import torch
from torch.nn.functional import normalize

from eval.report.contents import Gallery
from eval.report.held_out import HeldOut, Item
from eval.report.media import medium
from eval.report.neighbours import Text, Texts, neighbours
from pipeline.decoding.audio import decode_audio
from pipeline.decoding.depth import Depth
from pipeline.decoding.video import decode_video
from tests.made_members import audio_bytes, hum, video_bytes, waves

SECONDS = 2
TUBA = "<b>tuba</b>"
SHOWN = [
    ("image", "chair", "a red chair"), ("image", "lamp", ""), ("points", "chair", ""),
    ("points", "lamp", ""), ("video", "lamp", ""), ("depth", "chair", ""), ("audio", TUBA, ""),
    ("audio", "", "a hum"),
]  # fmt: skip
"""Modality, label, caption of each item."""
ASKED = [("Chair", "chair", "class"), ("lamp", "lamp", "class"), (TUBA, TUBA, "class"),
         ("a lamp on a chair", "lamp", "caption")]  # fmt: skip


def made_gallery() -> Gallery:
    """Items of a label lie together; `SHOWN` and `ASKED` are its items and texts."""
    media = {name: medium(name, decoded) for name, decoded in _decoded().items()}
    items = [
        Item(name, "made", f"key-{row}", label, caption, media[name])
        for row, (name, label, caption) in enumerate(SHOWN)
    ]
    shown = HeldOut(items, _vectors([label for _, label, _ in SHOWN]), {}, {})
    texts = Texts([Text(*each) for each in ASKED], _vectors([label for _, label, _ in ASKED]))
    return Gallery(shown, texts, neighbours(shown, texts))


def _decoded() -> dict[str, object]:
    generator = np.random.default_rng(0)
    return {
        "image": np.full((60, 90, 3), (200, 40, 40), np.uint8),
        "points": generator.normal(size=(300, 3)) * (0.2, 1, 1),
        "video": decode_video(video_bytes()),
        "depth": Depth(waves().astype(np.uint16), "millimetres", 0.075, 520.0),
        "audio": decode_audio(audio_bytes(hum(SECONDS))),
    }


def _vectors(labels: list[str]) -> torch.Tensor:
    names = ["chair", "lamp", TUBA, ""]
    own = torch.eye(len(names))[[names.index(label) for label in labels]]
    return normalize(own + torch.tensor([0.2, 0.1, 0.05, 0]), dim=-1)

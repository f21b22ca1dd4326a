"""ULIP and ULIP-2: Point-BERT features of point clouds in the space of a frozen text tower."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from open_clip.transformer import TextTransformer
from torch import Tensor

from pipeline.checkpoint import load_checkpoint, load_state, nested
from pipeline.errors import UserError
from pipeline.openclip import load_openclip
from stage1_extract.teachers.arch_file import read_arch
from stage1_extract.teachers.point_bert import PointBertArch, UlipPointEncoder
from stage1_extract.teachers.protocol import Card, Described, Teacher, find_card, published_file
from stage1_extract.teachers.slip_text import (
    TEXT_KEYS,
    SlipTextArch,
    SlipTokenizer,
    build_slip_text,
    encode_prompts,
)

NO_COLOUR = 0.4
"""The rgb that ULIP-2 gives clouds without colour, ModelNet40's among them."""
IGNORED = (
    ("visual.*", "the frozen image tower: clouds and prompts do not pass through it"),
    ("image_projection", "belongs to the image tower"),
    ("open_clip_model.*", "ULIP-2's frozen CLIP, loaded from open_clip where it is needed"),
    ("logit_scale", "the temperature of training; official zero-shot does not use it"),
)
CARDS = (
    Card(
        name="ulip",
        arch="ulip1-pointbert",
        modality="points",
        dim=512,
        text_space="SLIP ViT-B text tower, in the same file",
        weights="checkpoint_pointbert.pt of hf://datasets/SFXX/ulip",
        licence="code BSD-3-Clause; weights: licence not stated by their authors",
        source="github.com/salesforce/ULIP@f194ddb",
        preprocessing="xyz of the unit-sphere cloud, further channels dropped",
    ),
    Card(
        name="ulip",
        arch="ulip2-pointbert",
        modality="points",
        dim=1280,
        text_space="open_clip ViT-bigG-14 laion2b_s39b_b160k",
        weights=(
            "ULIP-2-PointBERT-10k-xyzrgb-pc-vit_g-objaverse_shapenet-pretrained.pt "
            "of hf://datasets/SFXX/ulip/ULIP-2/pretrained_models"
        ),
        licence="code BSD-3-Clause; weights: licence not stated by their authors",
        source="github.com/salesforce/ULIP@f194ddb",
        preprocessing="xyz of the unit-sphere cloud and rgb in 0..1, 0.4 where it has no colour",
    ),
)


class UlipArch(PointBertArch, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Point-BERT and the text tower whose space it was trained in, one of two kinds."""

    text: SlipTextArch | None = None
    """The tower whose weights are in the same checkpoint."""
    text_openclip: tuple[str, str] | None = None
    """Name and weights of an open_clip model whose text tower it is; loaded for each call."""


ARCHS = {
    "ulip1-pointbert": UlipArch(text=SlipTextArch()),
    "ulip2-pointbert": UlipArch(
        depth=18, channels=6, dim=1280, text_openclip=("ViT-bigG-14", "laion2b_s39b_b160k")
    ),
}


@dataclass(frozen=True)
class UlipTeacher(Described):
    """Point-cloud features of a frozen ULIP."""

    sizes: UlipArch
    encoder: UlipPointEncoder
    text_tower: TextTransformer | None
    tokenizer: SlipTokenizer | None

    def preprocess(self, view: np.ndarray) -> Tensor:
        """Turn a cloud float32 [N, 3 or 6] in the unit sphere into [N, channels]."""
        return _with_channels(torch.from_numpy(np.array(view, np.float32)), self.sizes.channels)

    @torch.no_grad()
    def encode(self, batch: Tensor) -> Tensor:
        """Return features float32 [B, dim] of clouds [B, N, 3 or 6]."""
        if batch.shape[1] < self.sizes.group_size:
            found, least = batch.shape[1], self.sizes.group_size
            raise UserError(f"{self.arch} needs clouds of {least} points or more, found {found}")
        device = self.encoder.pc_projection.device
        return self.encoder(_with_channels(batch.to(device), self.sizes.channels)).float()

    def encode_text(self, prompts: Sequence[str]) -> Tensor | None:
        """Return features float32 [C, dim] of prompts, None for an arch without a text tower."""
        if self.text_tower is not None and self.tokenizer is not None:
            return encode_prompts(self.text_tower, self.tokenizer, prompts)
        if self.sizes.text_openclip is not None:
            device = self.encoder.pc_projection.device
            return load_openclip(*self.sizes.text_openclip, device).encode_text(prompts)
        return None


def load(arch: str, weights: str | None, device: str) -> Teacher:
    """Load an official ULIP file; `arch` is a name, or a JSON file of the fields of `UlipArch`."""
    card, sizes, arch_file = _describe(arch)
    path = published_file(card, weights)
    tensors = nested(load_checkpoint(path), "state_dict", path)
    tower, tokenizer = None, None
    if sizes.text is not None:
        names = [name for name in tensors if name.split(".")[0] in TEXT_KEYS]
        text = {name: tensors.pop(name) for name in names}
        tower = _load_text(sizes.text, sizes.dim, text, path).to(device)
        tokenizer = SlipTokenizer(sizes.text, arch_file)
    with torch.device("meta"):
        encoder = UlipPointEncoder(sizes)
    load_state(encoder, tensors, path, IGNORED)
    encoder = encoder.eval().requires_grad_(False).to(device)
    return UlipTeacher(
        card, path, sizes, encoder, tower, tokenizer, arch_file=arch_file,
        merges=tokenizer.merges if tokenizer else None,
    )  # fmt: skip


def _load_text(
    arch: SlipTextArch, dim: int, tensors: dict[str, Tensor], source: Path
) -> TextTransformer:
    with torch.device("meta"):
        tower = build_slip_text(arch, dim)
    load_state(tower, tensors, source)
    tower.register_buffer("attn_mask", tower.build_causal_mask(), persistent=False)
    return tower.eval().requires_grad_(False)


def _describe(arch: str) -> tuple[Card, UlipArch, Path | None]:
    if not arch.endswith(".json"):
        return find_card(CARDS, arch), ARCHS[arch], None
    path = Path(arch)
    sizes = read_arch(path, UlipArch)
    text_space = "the text tower in the same file" if sizes.text else None
    if sizes.text_openclip:
        text_space = " ".join(("open_clip", *sizes.text_openclip))
    official = CARDS[1 if sizes.channels == 6 else 0]
    card = replace(official, arch=arch, dim=sizes.dim, text_space=text_space)
    return replace(card, weights="the checkpoint that was trained with it"), sizes, path


def _with_channels(points: Tensor, channels: int) -> Tensor:
    missing = channels - points.shape[-1]
    if missing <= 0:
        return points[..., :channels]
    colour = points.new_full((*points.shape[:-1], missing), NO_COLOUR)
    return torch.cat([points, colour], dim=-1)

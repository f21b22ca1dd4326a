"""MultiMAE ViT-B: depth (and rgb, and semantic maps) through one multi-modal encoder.

Facts: EPFL-VILAB/MultiMAE@66910f5, multimae/{multimae,input_adapters}.py and
run_pretraining_multimae.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from pipeline.checkpoint import load_checkpoint, load_state, nested
from pipeline.errors import UserError
from stage1_extract.teachers.arch_file import Depth, Size, read_arch
from stage1_extract.teachers.protocol import Card, Described, Teacher, find_card, published_file

CLASSES, CLASS_WIDTH = 133, 64
"""COCO panoptic classes of the semantic maps, and the width of their embedding."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IGNORED = (("output_adapters.*", "the reconstruction decoders of pre-training"),)


class MultiMaeArch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes of a MultiMAE; the defaults are ViT-B's."""

    width: Size = 768
    """Width of the transformer."""
    depth: Depth = 12
    """Number of blocks."""
    heads: Size = 12
    """Attention heads."""
    grid: Size = 14
    """Rows, and columns, of the stored position tables."""
    patch_size: Size = 16
    """Pixels of a patch's side; of semantic maps, which have a quarter of the size, a quarter."""
    modalities: tuple[Literal["rgb", "depth", "semseg"], ...] = ("rgb", "depth", "semseg")
    """What it has an input adapter for."""

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        if self.patch_size % 4:
            raise ValueError(f"patch_size must be a multiple of 4, found {self.patch_size}")


OFFICIAL = MultiMaeArch()
CARDS = (
    Card(
        name="multimae",
        arch="multimae-b",
        modality="depth",
        dim=OFFICIAL.width,
        text_space=None,
        weights="multimae-b_98_rgb+-depth-semseg_1600e_multivit-afff3f8c.pth",
        licence="CC-BY-NC 4.0 (non-commercial), code and weights",
        source="github.com/EPFL-VILAB/MultiMAE@66910f5",
        preprocessing=(
            "disparity standardised per image by mean and unbiased variance of its sorted pixels "
            f"0.1n..0.9n, eps 1e-6; images /255, mean {IMAGENET_MEAN}, std {IMAGENET_STD}"
        ),
    ),
)


class PatchAdapter(nn.Module):
    """Patches of an image-like input as tokens, with the stored position table added."""

    def __init__(
        self, channels: int, patch: int, arch: MultiMaeArch, interpolation: str = "bicubic"
    ) -> None:
        super().__init__()
        self.interpolation = interpolation
        self.proj = nn.Conv2d(channels, arch.width, patch, stride=patch)
        self.pos_emb = nn.Parameter(torch.zeros(1, arch.width, arch.grid, arch.grid))

    def forward(self, image: Tensor) -> Tensor:
        """Return tokens [B, patches, width], row-major, of [B, channels, H, W]."""
        patches = self.proj(image)
        positions: Tensor = self.pos_emb
        if patches.shape[-2:] != positions.shape[-2:]:
            size = patches.shape[-2:]
            positions = F.interpolate(positions, size, mode=self.interpolation, align_corners=False)
        return (patches + positions).flatten(2).transpose(1, 2)


class SemanticAdapter(PatchAdapter):
    """Class ids at quarter size, embedded, as tokens."""

    def __init__(self, arch: MultiMaeArch) -> None:
        super().__init__(CLASS_WIDTH, arch.patch_size // 4, arch, interpolation="bilinear")
        self.class_emb = nn.Embedding(CLASSES, CLASS_WIDTH)

    def forward(self, image: Tensor) -> Tensor:
        """Return tokens [B, patches, width] of class ids int64 [B, H / 4, W / 4]."""
        return super().forward(self.class_emb(image).permute(0, 3, 1, 2))


class MultiViT(nn.Module):
    """The encoder with all tokens visible; it ends without a norm, as officially."""

    def __init__(self, arch: MultiMaeArch = OFFICIAL) -> None:
        super().__init__()
        self.arch, width = arch, arch.width
        self.global_tokens = nn.Parameter(torch.zeros(1, 1, width))
        self.input_adapters = nn.ModuleDict(
            {name: _adapter(name, arch) for name in arch.modalities}
        )
        norm = cast(Any, partial(nn.LayerNorm, eps=1e-6))
        blocks = (
            Block(width, arch.heads, qkv_bias=True, norm_layer=norm) for _ in range(arch.depth)
        )
        self.encoder = nn.Sequential(*blocks)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return all tokens [B, patches + 1, width] in the order of `inputs`, the global one last.

        `inputs` maps rgb [B, 3, H, W], depth [B, 1, H, W] and semseg int64 [B, H/4, W/4], any of
        those it has; H and W are multiples of `patch_size`.
        """
        tokens = [self.input_adapters[name](image) for name, image in inputs.items()]
        tokens.append(self.global_tokens.expand(len(tokens[0]), -1, -1))
        return self.encoder(torch.cat(tokens, dim=1))


def _adapter(name: str, arch: MultiMaeArch) -> PatchAdapter:
    if name == "semseg":
        return SemanticAdapter(arch)
    return PatchAdapter({"rgb": 3, "depth": 1}[name], arch.patch_size, arch)


@dataclass(frozen=True)
class MultiMaeTeacher(Described):
    """Depth features of a frozen MultiMAE."""

    model: MultiViT

    def preprocess(self, view: np.ndarray) -> Tensor:
        """Standardise disparity float32 [1, H, W]; normalise an image uint8 [3, H, W]."""
        if view.dtype == np.uint8:
            return normalise_image(torch.from_numpy(np.array(view)))
        return standardise_depth(torch.from_numpy(np.array(view, np.float32)))

    @property
    def raw(self) -> Callable[[np.ndarray], Tensor]:
        """Keeps a view as it is: sorting its pixels is the GPU's."""
        return torch.from_numpy

    def prepare(self, batch: Tensor) -> Tensor:
        """`preprocess` of disparities [B, 1, H, W] or images uint8 [B, 3, H, W]."""
        if batch.dtype == torch.uint8:
            return normalise_image(batch)
        middle = _middle(batch.flatten(1).sort(1).values)
        deviation = torch.sqrt(middle.var(1) + 1e-6)
        return (batch - middle.mean(1)[:, None, None, None]) / deviation[:, None, None, None]

    @torch.no_grad()
    def encode(self, batch: Tensor | Mapping[str, Tensor]) -> Tensor:
        """Return the mean over all tokens, global one included, float32 [B, width].

        The batch is depth [B, 1, H, W], rgb [B, 3, H, W], both [B, 4, H, W] with rgb first, or a
        mapping as `MultiViT.forward` takes it.
        """
        inputs = batch if isinstance(batch, Mapping) else self._by_channels(batch)
        device = self.model.global_tokens.device
        return self.model({k: v.to(device) for k, v in inputs.items()}).float().mean(1)

    def _by_channels(self, batch: Tensor) -> dict[str, Tensor]:
        parts = {1: ("depth",), 3: ("rgb",), 4: ("rgb", "depth")}.get(batch.shape[1])
        known, side = self.model.arch.modalities, self.model.arch.patch_size
        fits = parts is not None and set(parts) <= set(known)
        if parts is None or not fits or batch.shape[2] % side or batch.shape[3] % side:
            raise UserError(
                f"{self.arch} takes depth [B, 1, H, W], rgb [B, 3, H, W] or both [B, 4, H, W], "
                f"as far as it has {', '.join(known)}, sides multiples of {side}; found "
                f"{list(batch.shape)}"
            )
        channels = batch.split([3 if part == "rgb" else 1 for part in parts], dim=1)
        return dict(zip(parts, channels, strict=True))

    def encode_text(self, prompts: Sequence[str]) -> None:
        """Return None: MultiMAE has no text space."""
        return


def standardise_depth(depth: Tensor) -> Tensor:
    """Return depth - mean over deviation, both of the sorted middle 80 % of all pixels.

    run_pretraining_multimae.py: positions int(0.1 n) to int(0.9 n), unbiased variance, eps 1e-6
    inside the root, no clipping; one call is one image.
    """
    middle = _middle(depth.flatten().sort().values)
    return (depth - middle.mean()) / torch.sqrt(middle.var() + 1e-6)


def normalise_image(pixels: Tensor) -> Tensor:
    """Return uint8 [..., 3, H, W] scaled to 0..1 and normalised by ImageNet's mean and std."""
    mean, std = (torch.tensor(c, device=pixels.device) for c in (IMAGENET_MEAN, IMAGENET_STD))
    return (pixels.float().div(255) - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def _middle(ordered: Tensor) -> Tensor:
    count = ordered.shape[-1]
    return ordered[..., int(0.1 * count) : int(0.9 * count)]


def load(arch: str, weights: str | None, device: str) -> Teacher:
    """Load MultiMAE's official multi-modal checkpoint (the `multivit` one, not the timm one), or
    one of another size; `arch` is the name, or a JSON file of the fields of `MultiMaeArch`."""
    card, sizes, arch_file = _describe(arch)
    path = published_file(card, weights)
    tensors = nested(load_checkpoint(path), "model", path)
    with torch.device("meta"):
        model = MultiViT(sizes)
    load_state(model, tensors, path, IGNORED)
    model = model.eval().requires_grad_(False).to(device)
    return MultiMaeTeacher(card, path, model, arch_file=arch_file)


def _describe(arch: str) -> tuple[Card, MultiMaeArch, Path | None]:
    if not arch.endswith(".json"):
        return find_card(CARDS, arch), OFFICIAL, None
    path = Path(arch)
    sizes = read_arch(path, MultiMaeArch)
    card = replace(CARDS[0], arch=arch, dim=sizes.width)
    return replace(card, weights="the checkpoint that was trained with it"), sizes, path

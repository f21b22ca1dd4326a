"""ViT-Lens: adapters for points, depth and audio, a Perceiver, and CLIP's ViT behind them.

Facts: TencentARC/ViT-Lens@2b4f2e0, vitlens/src/open_clip/transformer.py (VisionTransformer),
modal_depth/models/DepthTokenizer.py, modal_audio/models/AST_tokenizer.py and
modal_3d/models/pointbert/point_encoder.py. Names follow its checkpoints below `visual.`.
"""

import msgspec
import torch
from open_clip.transformer import LayerNorm, QuickGELU, Transformer
from torch import Tensor, nn

from stage1_extract.teachers.arch_file import Depth, Ratio, Size
from stage1_extract.teachers.mini_pointnet import MiniPointNet
from stage1_extract.teachers.perceiver import Perceiver, PerceiverArch
from stage1_extract.teachers.point_bert import position_mlp
from stage1_extract.teachers.point_grouping import group_points


class PointLens(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="modality",
    tag="points",
):
    """Clouds [N, 3] become tokens of local patches."""

    points: Size = 8192
    """Points of a cloud; larger clouds are sampled down to it."""
    groups: Size = 512
    """Patches, each around one farthest-point centre."""
    group_size: Size = 32
    """Points in a patch."""
    group_dim: Size = 256
    """Width of the mini-PointNet's token, before it is brought to `width`."""
    width: Size = 384
    """Width of a token."""

    @property
    def tokens(self) -> int:
        """Tokens of one cloud."""
        return self.groups


class DepthLens(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="modality",
    tag="depth",
):
    """Disparity maps [1, S, S] become tokens of square patches, as wide as the ViT."""

    image_size: Size = 224
    """Side S, in pixels."""
    patch_size: Size = 14
    """Side of a patch, in pixels."""

    @property
    def tokens(self) -> int:
        """Tokens of one map."""
        return (self.image_size // self.patch_size) ** 2


class AudioLens(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="modality",
    tag="audio",
):
    """Filterbanks [frames, mels] become tokens of overlapping square patches, wide as the ViT."""

    frames: Size = 512
    """Frames of 10 ms, padding included."""
    mels: Size = 128
    """Mel bins."""
    patch_size: Size = 14
    """Side of a patch, in bins and in frames."""
    stride: Size = 10
    """From one patch to the next, in bins and in frames."""

    @property
    def tokens(self) -> int:
        """Tokens of one clip."""
        rows, columns = (
            (length - self.patch_size) // self.stride + 1 for length in (self.mels, self.frames)
        )
        return rows * columns


class LensArch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An adapter, maybe a Perceiver, and a ViT; the ViT's defaults are CLIP ViT-L/14's."""

    lens: PointLens | DepthLens | AudioLens
    """The adapter's sizes; its `modality` says which."""
    perceiver: PerceiverArch | None = None
    """Sizes of the Perceiver; without one the adapter's tokens enter the ViT as they are."""
    width: Size = 1024
    """Width of the ViT."""
    layers: Depth = 24
    """Blocks of the ViT."""
    heads: Size = 16
    """Attention heads of the ViT."""
    mlp_ratio: Ratio = 4.0
    """Width of a block's hidden layer over the ViT's."""
    dim: Size = 768
    """Width of the joint space."""
    quick_gelu: bool = False
    """The ViT's x * sigmoid(1.702 x), as OpenAI's CLIP has it; False for the exact GELU."""

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        if self.perceiver is None and self.context_width != self.width:
            raise ValueError(
                f"without a perceiver the lens must be as wide as the ViT {self.width}"
            )

    @property
    def context_width(self) -> int:
        """Width of the adapter's tokens."""
        return self.lens.width if isinstance(self.lens, PointLens) else self.width

    @property
    def tokens(self) -> int:
        """Tokens that enter the ViT beside the class token."""
        return self.perceiver.latents if self.perceiver else self.lens.tokens


class PointAdapter(nn.Module):
    """Point-BERT's patches with their positions.

    The official sampling starts at a random point in every forward pass; here it starts at
    point 0. It has no near-origin rule: every point may be a centre.
    """

    def __init__(self, lens: PointLens) -> None:
        super().__init__()
        self.lens = lens
        self.encoder = MiniPointNet(lens.group_dim)
        self.reduce_dim = nn.Linear(lens.group_dim, lens.width)
        self.pos_embed = position_mlp(lens.width)

    def forward(self, points: Tensor) -> Tensor:
        """Return tokens [B, groups, lens width] of clouds [B, N, 3]."""
        groups, size = self.lens.groups, self.lens.group_size
        centres, patches = group_points(points, groups, size, skip_near_origin=False)
        return self.reduce_dim(self.encoder(patches)) + self.pos_embed(centres)


class PatchAdapter(nn.Module):
    """Patches of a one-channel image, row by row, with learned positions."""

    def __init__(self, tokens: int, width: int, patch_size: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, patch_size, stride, bias=False)
        self.pos_emb = nn.Parameter(width**-0.5 * torch.randn(tokens, width))

    def forward(self, image: Tensor) -> Tensor:
        """Return tokens [B, N, width] of images [B, 1, rows, columns]."""
        return self.conv1(image).flatten(2).transpose(1, 2) + self.pos_emb


class AudioAdapter(PatchAdapter):
    """Patches of a filterbank, mel bins as rows and frames as columns."""

    def forward(self, filterbank: Tensor) -> Tensor:
        """Return tokens [B, N, width] of filterbanks [B, frames, mels]."""
        return super().forward(filterbank.transpose(1, 2)[:, None])


class LensTower(nn.Module):
    """Adapter, Perceiver and ViT: the checkpoint's `visual.*`.

    The ViT's names are those of open_clip's VisionTransformer without its `conv1`, so CLIP's
    image tower, which ViT-Lens starts from, loads into it by name (`strict=False`).
    """

    def __init__(self, arch: LensArch) -> None:
        super().__init__()
        width, scale = arch.width, arch.width**-0.5
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(arch.tokens + 1, width))
        self.ln_pre, self.ln_post = LayerNorm(width), LayerNorm(width)
        self.transformer = Transformer(
            width, arch.layers, arch.heads, arch.mlp_ratio,
            act_layer=QuickGELU if arch.quick_gelu else nn.GELU,
        )  # fmt: skip
        self.proj = nn.Parameter(scale * torch.randn(width, arch.dim))
        self.visual_adapter = _adapter(arch)
        self.perceiver = (
            Perceiver(arch.perceiver, width, arch.context_width) if arch.perceiver else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return un-normalised features [B, dim].

        x is [B, N, 3] for points, [B, 1, S, S] for depth, [B, frames, mels] for audio.
        """
        tokens = self.visual_adapter(x)
        if self.perceiver is not None:
            tokens = self.perceiver(tokens)
        class_token = self.class_embedding.expand(len(tokens), 1, -1)
        sequence = torch.cat([class_token, tokens], dim=1) + self.positional_embedding
        sequence = self.transformer(self.ln_pre(sequence))
        return self.ln_post(sequence[:, 0]) @ self.proj


def build_lens(arch: LensArch, seed: int = 0) -> LensTower:
    """Build a trainable tower with initial weights drawn from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LensTower(arch)


def _adapter(arch: LensArch) -> nn.Module:
    lens = arch.lens
    if isinstance(lens, PointLens):
        return PointAdapter(lens)
    if isinstance(lens, DepthLens):
        return PatchAdapter(lens.tokens, arch.width, lens.patch_size, lens.patch_size)
    return AudioAdapter(lens.tokens, arch.width, lens.patch_size, lens.stride)

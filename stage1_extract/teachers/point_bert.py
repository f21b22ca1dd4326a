"""Point-BERT, the point encoder of ULIP and ULIP-2, with its projection to the joint space.

Facts: salesforce/ULIP@f194ddb, models/pointbert/{point_encoder,dvae}.py and models/ULIP_models.py.
"""

from typing import cast

import msgspec
import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from stage1_extract.teachers.arch_file import Depth, Size
from stage1_extract.teachers.mini_pointnet import MiniPointNet
from stage1_extract.teachers.point_grouping import group_points

POSITION_HIDDEN = 128


class PointBertArch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes of a Point-BERT; the defaults are ULIP-1's."""

    width: Size = 384
    """Width of the transformer."""
    depth: Depth = 12
    """Number of blocks."""
    heads: Size = 6
    """Attention heads."""
    groups: Size = 512
    """Patches, each around one farthest-point centre."""
    group_size: Size = 32
    """Points in a patch."""
    group_dim: Size = 256
    """Width of the mini-PointNet's token, before it is brought to `width`."""
    channels: Size = 3
    """Channels of a point: 3 (xyz) or 6 (xyz and rgb in 0..1)."""
    dim: Size = 512
    """Width of the joint space."""
    drop_path: float = 0.1
    """Stochastic depth of the last block while training, growing linearly from 0."""

    def __post_init__(self) -> None:
        if self.channels not in (3, 6):
            raise ValueError(f"channels must be 3 or 6, found {self.channels}")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")


class PointBert(nn.Module):
    """Patches of a cloud through a transformer; names follow the official `point_encoder`."""

    def __init__(self, arch: PointBertArch) -> None:
        super().__init__()
        self.arch = arch
        width = arch.width
        self.encoder = MiniPointNet(arch.group_dim, arch.channels)
        self.reduce_dim = nn.Linear(arch.group_dim, width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.cls_pos = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = position_mlp(width)
        self.blocks = nn.ModuleDict({"blocks": nn.ModuleList(_blocks(arch))})
        self.norm = nn.LayerNorm(width, eps=1e-5)
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.cls_pos, std=0.02)

    def forward(self, points: Tensor) -> Tensor:
        """Return [B, 2 * width] of clouds [B, N, channels]: class token beside max over patches."""
        centres, patches = group_points(points, self.arch.groups, self.arch.group_size)
        tokens = self.reduce_dim(self.encoder(patches))
        batch = len(points)
        positions = torch.cat([self.cls_pos.expand(batch, -1, -1), self.pos_embed(centres)], 1)
        x = torch.cat([self.cls_token.expand(batch, -1, -1), tokens], 1)
        for block in cast(nn.ModuleList, self.blocks["blocks"]):
            x = block(x + positions)  # added before every block, and carried on by the residual
        x = self.norm(x)
        return torch.cat([x[:, 0], x[:, 1:].amax(1)], dim=-1)


class UlipPointEncoder(nn.Module):
    """Point-BERT with ULIP's projection; the checkpoint's `point_encoder.*` and `pc_projection`."""

    def __init__(self, arch: PointBertArch) -> None:
        super().__init__()
        self.point_encoder = PointBert(arch)
        self.pc_projection = nn.Parameter(torch.empty(2 * arch.width, arch.dim))
        nn.init.normal_(self.pc_projection, std=512**-0.5)

    def forward(self, points: Tensor) -> Tensor:
        """Return un-normalised features [B, dim] of clouds [B, N, channels]."""
        return self.point_encoder(points) @ self.pc_projection


def build_point_bert(arch: PointBertArch, seed: int = 0) -> UlipPointEncoder:
    """Build a trainable encoder with initial weights drawn from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UlipPointEncoder(arch)


def position_mlp(width: int) -> nn.Sequential:
    """Return the MLP from a centre's xyz to its position embedding (`pos_embed.{0,2}`)."""
    return nn.Sequential(
        nn.Linear(3, POSITION_HIDDEN), nn.GELU(), nn.Linear(POSITION_HIDDEN, width)
    )


def _blocks(arch: PointBertArch) -> list[Block]:
    rates = torch.linspace(0, arch.drop_path, arch.depth, device="cpu").tolist()
    norm = nn.LayerNorm  # eps 1e-5; timm's own default is 1e-6
    return [Block(arch.width, arch.heads, drop_path=rate, norm_layer=norm) for rate in rates]

"""ReCon's zero-shot feature of a point cloud, in the image and text space of CLIP ViT-B/32.

Facts: qizekun/ReCon@51a8be0, models/transformer.py (PointTransformerZeroShot) and
tools/runner_zeroshot.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from timm.layers import Attention, Mlp
from torch import Tensor, nn

from pipeline.checkpoint import load_checkpoint, load_state, nested
from pipeline.openclip import load_openclip
from stage1_extract.teachers.arch_file import Depth, Size, read_arch
from stage1_extract.teachers.mini_pointnet import MiniPointNet
from stage1_extract.teachers.point_bert import position_mlp
from stage1_extract.teachers.point_grouping import (
    farthest_points,
    group_points,
    take_points,
)
from stage1_extract.teachers.protocol import Card, Described, Teacher, find_card, published_file

POINTS, CANDIDATES = 1024, 1200
"""runner_zeroshot.py: 1200 farthest points, of which 1024 are drawn without replacement."""
TEXT_RATIO = 0.25
"""Weight of the text token beside the image token for ModelNet40 (README of ReCon)."""
IGNORED = (
    ("MAE_decoder.*", "reconstruction head of pre-training"),
    ("decoder_pos_embed.*", "reconstruction head of pre-training"),
    ("increase_dim.*", "reconstruction head of pre-training"),
    ("mask_token", "masking of pre-training"),
    ("cls_proj.*", "self-contrastive head of pre-training"),
    ("img_encoder.*", "the frozen CLIP that pre-training distils"),
    ("text_encoder.*", "the frozen CLIP that pre-training distils"),
)


class ReConArch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes of a ReCon; the defaults are those of cfgs/zeroshot/modelnet40.yaml."""

    width: Size = 384
    """Width of both streams."""
    depth: Depth = 12
    """Number of blocks."""
    heads: Size = 6
    """Attention heads."""
    groups: Size = 64
    """Patches, each around one farthest-point centre."""
    group_size: Size = 32
    """Points in a patch."""
    dim: Size = 512
    """Width of the joint space."""
    text_openclip: tuple[str, str | None] = ("ViT-B-32", "openai")
    """Name and weights of the open_clip model in whose space it was trained."""

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")


OFFICIAL = ReConArch()
CARDS = (
    Card(
        name="recon",
        arch="recon-zeroshot",
        modality="points",
        dim=OFFICIAL.dim,
        text_space="open_clip ViT-B-32 openai",
        weights="the zero-shot checkpoint that ReCon's README links",
        licence="MIT",
        source="github.com/qizekun/ReCon@51a8be0",
        preprocessing=(
            "xyz of the unit-sphere cloud; of its 1200 farthest points from index 0, 1024 drawn "
            "without replacement by numpy's RandomState(0); smaller clouds as they are"
        ),
    ),
)


class CrossAttention(nn.Module):
    """Queries attend to the patch tokens; `q` and `kv` without bias, `proj` with."""

    def __init__(self, arch: ReConArch) -> None:
        super().__init__()
        self.heads, width = arch.heads, arch.width
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, queries: Tensor, patches: Tensor) -> Tensor:
        """Return [B, Q, width] for queries [B, Q, width] over patches [B, G, width]."""
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in (self.q(queries), *self.kv(patches).chunk(2, dim=-1))
        )
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class ReConBlock(nn.Module):
    """Two streams: patches attend to patches, queries to patches, nothing to queries.

    The residual carries the NORMALISED value on, unlike in a usual pre-norm block. As in the
    official pre-training, what the queries learn leaves the patches alone.
    """

    def __init__(self, arch: ReConArch = OFFICIAL) -> None:
        super().__init__()
        width = arch.width
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width, arch.heads), Mlp(width, 4 * width)
        self.norm1_contrast, self.norm2_contrast = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn_contrast, self.mlp_contrast = CrossAttention(arch), Mlp(width, 4 * width)

    def forward(self, queries: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return both streams, each of its input's shape."""
        queries, patches = self.norm1_contrast(queries), self.norm1(patches)
        queries = queries + self.attn_contrast(queries, patches.detach())
        patches = patches + self.attn(patches)
        queries, patches = self.norm2_contrast(queries), self.norm2(patches)
        return queries + self.mlp_contrast(queries), patches + self.mlp(patches)


class ReConEncoder(nn.Module):
    """The checkpoint's `MAE_encoder`: class, image and text queries over the patches."""

    def __init__(self, arch: ReConArch) -> None:
        super().__init__()
        self.arch, width = arch, arch.width
        for query in ("cls", "img", "text"):
            self.register_parameter(f"{query}_token", nn.Parameter(torch.zeros(1, 1, width)))
            self.register_parameter(f"{query}_pos", nn.Parameter(torch.zeros(1, 1, width)))
        self.encoder = MiniPointNet(width)
        self.pos_embed = position_mlp(width)
        blocks = nn.ModuleList(ReConBlock(arch) for _ in range(arch.depth))
        self.blocks = nn.ModuleDict({"blocks": blocks})
        self.norm = nn.LayerNorm(width)

    def forward(self, points: Tensor) -> Tensor:
        """Return the normed class, image and text tokens [B, 3, width] of clouds [B, N, 3]."""
        centres, patches = group_points(points, self.arch.groups, self.arch.group_size)
        queries, _ = self.streams(self.encoder(patches), self.pos_embed(centres))
        return self.norm(queries)

    def streams(self, tokens: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return queries [B, 3, width] and patches of tokens [B, G, width], not yet normed."""
        queries, query_positions = self._queries("token"), self._queries("pos")
        queries = queries.expand(len(tokens), -1, -1)
        for block in cast(nn.ModuleList, self.blocks["blocks"]):
            queries, tokens = block(queries + query_positions, tokens + positions)
        return queries, tokens

    def _queries(self, part: str) -> Tensor:
        names = (f"{query}_{part}" for query in ("cls", "img", "text"))
        return torch.cat([self.get_parameter(name) for name in names], dim=1)


class ReConZeroShot(nn.Module):
    """The encoder with the projections of its image and text tokens into CLIP's space."""

    def __init__(self, arch: ReConArch = OFFICIAL) -> None:
        super().__init__()
        self.arch = arch
        self.MAE_encoder = ReConEncoder(arch)
        self.img_proj = nn.Linear(arch.width, arch.dim)
        self.text_proj = nn.Linear(arch.width, arch.dim)

    def forward(self, points: Tensor) -> Tensor:
        """Return un-normalised features [B, dim] of clouds [B, N, 3]."""
        _, image, text = self.MAE_encoder(points).unbind(1)
        return TEXT_RATIO * self.text_proj(text) + self.img_proj(image)


@dataclass(frozen=True)
class ReConTeacher(Described):
    """Point-cloud features of a frozen ReCon."""

    model: ReConZeroShot

    def preprocess(self, view: np.ndarray) -> Tensor:
        """Sample [1024, 3] of a cloud float32 [N, 3 or 6] in the unit sphere, as ReCon does."""
        return self.prepare(self.raw(view)[None])[0]

    @property
    def raw(self) -> Callable[[np.ndarray], Tensor]:
        """Keeps xyz [N, 3]: sampling is the GPU's."""
        return _xyz

    def prepare(self, batch: Tensor) -> Tensor:
        """`preprocess` of clouds [B, N, 3]."""
        if batch.shape[1] <= POINTS:
            return batch
        candidates = min(CANDIDATES, batch.shape[1])
        farthest = farthest_points(batch, candidates)
        # the official draw takes numpy's global generator as it finds it; here it is pinned
        drawn = np.random.RandomState(0).choice(candidates, POINTS, replace=False)
        return take_points(batch, farthest[:, torch.from_numpy(drawn).to(batch.device)])

    @torch.no_grad()
    def encode(self, batch: Tensor) -> Tensor:
        """Return features float32 [B, dim] of clouds [B, N, 3]."""
        return self.model(batch.to(self.model.img_proj.weight.device)).float()

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Return its CLIP's features float32 [C, dim]; the CLIP is loaded for each call."""
        device = self.model.img_proj.weight.device
        return load_openclip(*self.model.arch.text_openclip, device).encode_text(prompts)


def _xyz(view: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(view[:, :3], np.float32))


def load(arch: str, weights: str | None, device: str) -> Teacher:
    """Load ReCon's official zero-shot checkpoint, or one of another size; `arch` is the name, or a
    JSON file of the fields of `ReConArch`."""
    card, sizes, arch_file = _describe(arch)
    path = published_file(card, weights)
    tensors = nested(load_checkpoint(path), "base_model", path)
    with torch.device("meta"):
        model = ReConZeroShot(sizes)
    load_state(model, tensors, path, IGNORED)
    model = model.eval().requires_grad_(False).to(device)
    return ReConTeacher(card, path, model, arch_file=arch_file)


def _describe(arch: str) -> tuple[Card, ReConArch, Path | None]:
    if not arch.endswith(".json"):
        return find_card(CARDS, arch), OFFICIAL, None
    path = Path(arch)
    sizes = read_arch(path, ReConArch)
    text_space = " ".join(["open_clip", *filter(None, sizes.text_openclip)])
    card = replace(CARDS[0], arch=arch, dim=sizes.dim, text_space=text_space)
    return replace(card, weights="the checkpoint that was trained with it"), sizes, path

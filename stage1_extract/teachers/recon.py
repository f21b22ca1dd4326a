"""ReCon's zero-shot feature of a point cloud, in the image and text space of CLIP ViT-B/32.

Facts: qizekun/ReCon@51a8be0, models/transformer.py (PointTransformerZeroShot) and
tools/runner_zeroshot.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from timm.layers import Attention, Mlp
from torch import Tensor, nn

from pipeline.checkpoint import load_checkpoint, load_state, nested
from pipeline.openclip import load_openclip
from stage1_extract.teachers.mini_pointnet import MiniPointNet
from stage1_extract.teachers.point_bert import position_mlp
from stage1_extract.teachers.point_grouping import (
    farthest_points,
    group_points,
    take_points,
)
from stage1_extract.teachers.protocol import Card, Described, Teacher, find_card, published_file

WIDTH, DEPTH, HEADS, GROUPS, GROUP_SIZE, DIM = 384, 12, 6, 64, 32, 512
"""cfgs/zeroshot/modelnet40.yaml"""
POINTS, CANDIDATES = 1024, 1200
"""runner_zeroshot.py: 1200 farthest points, of which 1024 are drawn without replacement."""
TEXT_RATIO = 0.25
"""Weight of the text token beside the image token for ModelNet40 (README of ReCon)."""
TEXT_MODEL = ("ViT-B-32", "openai")
IGNORED = (
    ("MAE_decoder.*", "reconstruction head of pre-training"),
    ("decoder_pos_embed.*", "reconstruction head of pre-training"),
    ("increase_dim.*", "reconstruction head of pre-training"),
    ("mask_token", "masking of pre-training"),
    ("cls_proj.*", "self-contrastive head of pre-training"),
    ("img_encoder.*", "the frozen CLIP that pre-training distils"),
    ("text_encoder.*", "the frozen CLIP that pre-training distils"),
)
CARDS = (
    Card(
        name="recon",
        arch="recon-zeroshot",
        modality="points",
        dim=DIM,
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

    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(WIDTH, WIDTH, bias=False)
        self.kv = nn.Linear(WIDTH, 2 * WIDTH, bias=False)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, queries: Tensor, patches: Tensor) -> Tensor:
        """Return [B, Q, width] for queries [B, Q, width] over patches [B, G, width]."""
        q, k, v = (
            part.unflatten(2, (HEADS, -1)).transpose(1, 2)
            for part in (self.q(queries), *self.kv(patches).chunk(2, dim=-1))
        )
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class ReConBlock(nn.Module):
    """Two streams: patches attend to patches, queries to patches, nothing to queries.

    The residual carries the NORMALISED value on, unlike in a usual pre-norm block.
    """

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn, self.mlp = Attention(WIDTH, HEADS), Mlp(WIDTH, 4 * WIDTH)
        self.norm1_contrast, self.norm2_contrast = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn_contrast, self.mlp_contrast = CrossAttention(), Mlp(WIDTH, 4 * WIDTH)

    def forward(self, queries: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return both streams, each of its input's shape."""
        queries, patches = self.norm1_contrast(queries), self.norm1(patches)
        queries = queries + self.attn_contrast(queries, patches)
        patches = patches + self.attn(patches)
        queries, patches = self.norm2_contrast(queries), self.norm2(patches)
        return queries + self.mlp_contrast(queries), patches + self.mlp(patches)


class ReConEncoder(nn.Module):
    """The checkpoint's `MAE_encoder`: class, image and text queries over 64 patches."""

    def __init__(self) -> None:
        super().__init__()
        for query in ("cls", "img", "text"):
            self.register_parameter(f"{query}_token", nn.Parameter(torch.zeros(1, 1, WIDTH)))
            self.register_parameter(f"{query}_pos", nn.Parameter(torch.zeros(1, 1, WIDTH)))
        self.encoder = MiniPointNet(WIDTH)
        self.pos_embed = position_mlp(WIDTH)
        blocks = nn.ModuleList(ReConBlock() for _ in range(DEPTH))
        self.blocks = nn.ModuleDict({"blocks": blocks})
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, points: Tensor) -> Tensor:
        """Return the normed class, image and text tokens [B, 3, width] of clouds [B, N, 3]."""
        centres, patches = group_points(points, GROUPS, GROUP_SIZE)
        positions = self.pos_embed(centres)
        tokens = self.encoder(patches)
        queries, query_positions = self._queries("token"), self._queries("pos")
        queries = queries.expand(len(points), -1, -1)
        for block in cast(nn.ModuleList, self.blocks["blocks"]):
            queries, tokens = block(queries + query_positions, tokens + positions)
        return self.norm(queries)

    def _queries(self, part: str) -> Tensor:
        names = (f"{query}_{part}" for query in ("cls", "img", "text"))
        return torch.cat([self.get_parameter(name) for name in names], dim=1)


class ReConZeroShot(nn.Module):
    """The encoder with the projections of its image and text tokens into CLIP's space."""

    def __init__(self) -> None:
        super().__init__()
        self.MAE_encoder = ReConEncoder()
        self.img_proj = nn.Linear(WIDTH, DIM)
        self.text_proj = nn.Linear(WIDTH, DIM)

    def forward(self, points: Tensor) -> Tensor:
        """Return un-normalised features [B, 512] of clouds [B, N, 3]."""
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
        """Return features float32 [B, 512] of clouds [B, N, 3]."""
        return self.model(batch.to(self.model.img_proj.weight.device)).float()

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Return CLIP ViT-B/32 features float32 [C, 512]; the CLIP is loaded for each call."""
        device = self.model.img_proj.weight.device
        return load_openclip(*TEXT_MODEL, device).encode_text(prompts)


def _xyz(view: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(view[:, :3], np.float32))


def load(arch: str, weights: str | None, device: str) -> Teacher:
    """Load ReCon's official zero-shot checkpoint."""
    card = find_card(CARDS, arch)
    path = published_file(card, weights)
    tensors = nested(load_checkpoint(path), "base_model", path)
    with torch.device("meta"):
        model = ReConZeroShot()
    load_state(model, tensors, path, IGNORED)
    return ReConTeacher(card, path, model.eval().requires_grad_(False).to(device))

"""The Perceiver that ViT-Lens puts between an adapter's tokens and the ViT.

Facts: TencentARC/ViT-Lens@2b4f2e0, vitlens/src/open_clip/perceiver.py. Names follow its
checkpoints: `latents`, `layers.L.0` (cross-attention), `layers.L.1` (feed-forward) and
`layers.L.2.S.{0,1}` (self-attention and feed-forward number S).
"""

from collections.abc import Iterator
from typing import cast

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stage1_extract.teachers.arch_file import Depth, Size

HIDDEN = 4
"""Width of a feed-forward's hidden layer over that of the latents."""


class PerceiverArch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes of a Perceiver; the defaults are those of ViT-Lens-L's point clouds."""

    depth: Depth = 4
    """Layers: one look at the tokens each."""
    self_per_cross: Depth = 1
    """Self-attentions among the latents after each look."""
    latents: Size = 256
    """Tokens that come out; as many as the ViT has patch positions."""
    cross_heads: Size = 1
    """Attention heads of a look."""
    latent_heads: Size = 16
    """Attention heads among the latents."""
    head_dim: Size = 64
    """Width of any head."""


class Geglu(nn.Module):
    """The first half of the channels, gated by the GELU of the second."""

    def forward(self, x: Tensor) -> Tensor:
        """Return [..., C] of [..., 2 C]."""
        value, gate = x.chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    """Two linear layers with a GEGLU in between, `net.{0,2}`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = HIDDEN * width
        self.net = nn.Sequential(nn.Linear(width, 2 * hidden), Geglu(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, N, width] of the same shape."""
        return self.net(x)


class PerceiverAttention(nn.Module):
    """Attention to a context, or to itself; `to_kv` holds the keys, then the values."""

    def __init__(self, width: int, context_width: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, heads * head_dim, bias=False)
        self.to_kv = nn.Linear(context_width, 2 * heads * head_dim, bias=False)
        self.to_out = nn.Linear(heads * head_dim, width)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return [B, N, width] for queries [B, N, width] over [B, M, context width]."""
        context = x if context is None else context
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in (self.to_q(x), *self.to_kv(context).chunk(2, dim=-1))
        )
        return self.to_out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class PreNorm(nn.Module):
    """A sub-layer among the latents, which sees them normalised."""

    def __init__(self, width: int, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, _tokens: Tensor) -> Tensor:
        """Return what is added to the latents x [B, N, width]; the tokens are not looked at."""
        return self.fn(self.norm(x))


class PreNormCross(nn.Module):
    """The look at the tokens, with a norm for either side."""

    def __init__(self, width: int, context_width: int, fn: PerceiverAttention) -> None:
        super().__init__()
        self.fn = fn
        self.norm = nn.LayerNorm(width)
        self.norm_context = nn.LayerNorm(context_width)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Return what is added to x [B, N, width] for tokens [B, M, context width]."""
        return self.fn(self.norm(x), self.norm_context(tokens))


class Perceiver(nn.Module):
    """Learned latents that look at the tokens several times, and at each other in between."""

    def __init__(self, arch: PerceiverArch, width: int, context_width: int) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(arch.latents, width))
        layers = (_layer(arch, width, context_width) for _ in range(arch.depth))
        self.layers = nn.ModuleList(layers)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return all latents [B, latents, width] after looking at tokens [B, M, context width]."""
        x = self.latents.expand(len(tokens), -1, -1)
        for layer in self.layers:
            for sub_layer in _in_order(layer):
                x = x + sub_layer(x, tokens)
        return x

    def tie_equal_layers(self) -> None:
        """Make layers that hold the same numbers one module, as where they were trained tied.

        The files of a tied model (all layers but the first share their weights) repeat the
        tensors under every layer's names.
        """
        for number in range(2, len(self.layers)):
            if _equal(self.layers[number], self.layers[1]):
                self.layers[number] = self.layers[1]


def _layer(arch: PerceiverArch, width: int, context_width: int) -> nn.ModuleList:
    look = PerceiverAttention(width, context_width, arch.cross_heads, arch.head_dim)
    pairs = nn.ModuleList(_among_latents(arch, width) for _ in range(arch.self_per_cross))
    feed_forward = PreNorm(width, FeedForward(width))
    return nn.ModuleList([PreNormCross(width, context_width, look), feed_forward, pairs])


def _among_latents(arch: PerceiverArch, width: int) -> nn.ModuleList:
    attention = PerceiverAttention(width, width, arch.latent_heads, arch.head_dim)
    return nn.ModuleList([PreNorm(width, attention), PreNorm(width, FeedForward(width))])


def _in_order(layer: nn.Module) -> Iterator[nn.Module]:
    cross, feed_forward, pairs = cast(nn.ModuleList, layer)
    yield from (cross, feed_forward)
    for pair in cast(nn.ModuleList, pairs):
        yield from cast(nn.ModuleList, pair)


def _equal(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)

"""`adapted_block.adapted` as a GPU trains it: the same sums in fewer passes over memory.

A block with experts is bound there by memory, not by products: what a small product adds to a large
one must not cost another reading of the large one. So the experts' up-projection lies beside the
frozen weights in one matrix, over inputs that lie beside theirs, in forward and in backward; the
router and the first down-projections are one matrix; attention reads the packed projection where
it lies. Equal to `adapted` but for rounding; compiled, what is left between the products is fused.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn

from stage2_train.student.adapted_block import BlockExperts, adapted
from stage2_train.student.moe_lora import MoeLora, Routing

_ALIGNED = 8
"""Columns: rows of a product that are no multiple of 16 bytes take a GPU several times as long."""


def fused(
    experts: BlockExperts,
    block: ResidualAttentionBlock,
    modality: str,
    x: Tensor,
    class_only: bool,
) -> tuple[Tensor, list[Routing]]:
    """See `BlockExperts.forward`; experts on the attention take `adapted`'s way."""
    if experts.attention is not None:
        return adapted(experts, block, modality, x, class_only)
    normed = block.ln_1(x)
    x = (x[:, :1] if class_only else x) + block.ls_1(_attention(block.attn, normed, class_only))
    change, routing = _mlp(experts.mlp, block.mlp, modality, block.ln_2(x))
    return x + block.ls_2(change), [routing]


def _attention(attention: nn.MultiheadAttention, x: Tensor, class_only: bool) -> Tensor:
    """Self-attention of tokens [B, N, width]; with `class_only` of the first one's query alone."""
    weight, bias, width = attention.in_proj_weight, attention.in_proj_bias, x.shape[-1]
    if class_only:
        query = F.linear(x[:, :1], weight[:width], bias[:width])
        packed = [query, *F.linear(x, weight[width:], bias[width:]).chunk(2, -1)]
    else:
        packed = [*F.linear(x, weight, bias).chunk(3, -1)]
    heads = (part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for part in packed)
    mixed = F.scaled_dot_product_attention(*heads)
    return attention.out_proj(mixed.transpose(1, 2).flatten(2))


def _mlp(experts: MoeLora, mlp: Any, modality: str, x: Tensor) -> tuple[Tensor, Routing]:
    inward, outward = mlp.c_fc, mlp.c_proj
    tokens, seen = x.flatten(0, 1), _Seen.of(experts, modality, inward.weight.dtype)
    logits, low = seen.read(tokens)
    routing = experts.decide(logits)
    wide = _Widened.apply(tokens, low * routing.gates, inward.weight, inward.bias, seen.first_up)
    matrices = outward.weight, outward.bias, seen.second_down, seen.second_up
    return _Narrowed.apply(mlp.gelu(wide), routing.gates, *matrices).view_as(x), routing


class _Seen(NamedTuple):
    """What a modality sees of the experts around an MLP, E of them with R ranks together."""

    first: Tensor
    """[E + padding + R, width], of router and first down-projections."""
    bias: Tensor
    """[E], of the router."""
    first_up: Tensor
    """[R, inner]"""
    second_down: Tensor
    """[R, inner]"""
    second_up: Tensor
    """[R, width]"""

    @staticmethod
    def of(experts: MoeLora, modality: str, dtype: torch.dtype) -> "_Seen":
        router = experts.router.visible(modality)
        padded = F.pad(router, (0, 0, 0, -len(router) % _ALIGNED))
        (first_down, second_down), ups = (
            [part.visible(modality) for part in side]  # type: ignore[operator]
            for side in (experts.down, experts.up)
        )
        first, bias = torch.cat((padded, first_down)), experts.router_bias[modality]
        return _Seen(*(part.to(dtype) for part in (first, bias, ups[0], second_down, ups[1])))

    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The router's logits [T, E], and what the experts see [T, R]."""
        both = F.linear(tokens, self.first)
        return both[:, : len(self.bias)] + self.bias, both[:, -len(self.first_up) :]


class _Widened(torch.autograd.Function):
    """x [T, W] @ weight.T + bias + low [T, R] @ up, weight [I, W] and bias frozen: [T, I]."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, low: Tensor, weight: Tensor, bias: Tensor, up: Tensor
    ) -> Tensor:
        ctx.save_for_backward(low, weight, up)
        return F.linear(torch.cat((x, low), 1), torch.cat((weight, up.T), 1), bias)

    @staticmethod
    def backward(ctx: Any, change: Tensor) -> tuple[Tensor | None, ...]:
        low, weight, up = ctx.saved_tensors
        both = change @ torch.cat((weight, up.T), 1)
        of_x, of_low = both.split((weight.shape[1], len(up)), 1)
        return of_x, of_low, None, None, low.T @ change


class _Narrowed(torch.autograd.Function):
    """x [T, I] @ weight.T + bias + (x @ down.T * gates [T, R]) @ up, weight [W, I] and bias frozen:
    [T, W].
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gates: Tensor, weight: Tensor, bias: Tensor, down: Tensor, up: Tensor
    ) -> Tensor:
        low = F.linear(x, down)
        ctx.save_for_backward(x, low, gates, weight, down, up)
        return F.linear(x, weight, bias) + (low * gates) @ up

    @staticmethod
    def backward(ctx: Any, change: Tensor) -> tuple[Tensor | None, ...]:
        x, low, gates, weight, down, up = ctx.saved_tensors
        gated = change @ up.T
        of_low = gated * gates
        of_x = torch.cat((change, of_low), 1) @ torch.cat((weight, down))
        return of_x, gated * low, None, None, of_low.T @ x, (low * gates).T @ change

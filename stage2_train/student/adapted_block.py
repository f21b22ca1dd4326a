"""One frozen transformer block with experts around its linears."""

from typing import Any

import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Generator, Tensor, nn

from pipeline.config.student import StudentConfig
from pipeline.errors import UserError
from stage2_train.student.moe_lora import MoeLora, Routing


class BlockExperts(nn.Module):
    """The trainable part of one block; the frozen block itself is passed in.

    Args:
        block: gives the shapes.
        config: experts, and whether the attention has some too.
        generator: draws the first weights.
    """

    def __init__(
        self, block: ResidualAttentionBlock, config: StudentConfig, generator: Generator
    ) -> None:
        super().__init__()
        inner, width = block.mlp.c_fc.weight.shape
        self.mlp = MoeLora([(width, inner), (inner, width)], config, generator)
        attention = [(width, 3 * width), (width, width)]
        self.attention = MoeLora(attention, config, generator) if config.adapt_attention else None

    def forward(
        self, block: ResidualAttentionBlock, modality: str, x: Tensor, class_only: bool
    ) -> tuple[Tensor, list[Routing]]:
        """`block` with experts on tokens [B, N, width]; also what each router decided.

        With `class_only` just the class token [B, 1, width] comes out, at less than a third of
        the work; it still attends to all tokens.
        """
        normed = block.ln_1(x)
        queries, x = (normed[:, :1], x[:, :1]) if class_only else (normed, x)
        routings = []
        if self.attention is None:
            change = block.attention(q_x=queries, k_x=normed, v_x=normed)
        else:
            change, routing = _attention(self.attention, block.attn, modality, normed)
            change, routings = change[:, : x.shape[1]], [routing]
        x = x + block.ls_1(change)
        change, routing = _mlp(self.mlp, block.mlp, modality, block.ln_2(x))
        return x + block.ls_2(change), [*routings, routing]


def adapted(
    experts: BlockExperts,
    block: ResidualAttentionBlock,
    modality: str,
    x: Tensor,
    class_only: bool,
) -> tuple[Tensor, list[Routing]]:
    """A block with its experts, as one function: compiled, it serves every block of a trunk."""
    return experts(block, modality, x, class_only)


def _mlp(experts: MoeLora, mlp: Any, modality: str, x: Tensor) -> tuple[Tensor, Routing]:
    tokens = x.flatten(0, 1)
    routing = experts.route(modality, tokens)
    inner = mlp.gelu(experts.add_to(mlp.c_fc(tokens), 0, modality, tokens, routing.gates))
    outer = experts.add_to(mlp.c_proj(inner), 1, modality, inner, routing.gates)
    return outer.view_as(x), routing


def _attention(
    experts: MoeLora, attention: nn.MultiheadAttention, modality: str, x: Tensor
) -> tuple[Tensor, Routing]:
    # nn.MultiheadAttention offers no place between its projections, hence its three steps here.
    batch, count, width = x.shape
    tokens = x.flatten(0, 1)
    routing = experts.route(modality, tokens)
    frozen = F.linear(tokens, attention.in_proj_weight, attention.in_proj_bias)
    packed = experts.add_to(frozen, 0, modality, tokens, routing.gates)
    heads = packed.view(batch, count, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    query, key, value = heads.unbind(0)
    mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(-1, width)
    outer = experts.add_to(attention.out_proj(mixed), 1, modality, mixed, routing.gates)
    return outer.view_as(x), routing


def require_plain_trunk(visual: nn.Module, arch: str) -> None:
    """Raise `UserError` unless a vision tower is made of the blocks that experts fit."""
    plain = (
        isinstance(visual, VisionTransformer)
        and visual.attn_pool is None
        and visual.pool_type == "tok"
        and all(isinstance(b, ResidualAttentionBlock) for b in visual.transformer.resblocks)
    )
    if not plain:
        raise UserError(
            f"student.arch '{arch}' has no plain open_clip ViT with a class token as its vision "
            "tower; choose one such as ViT-B-16, ViT-B-32 or ViT-L-14"
        )

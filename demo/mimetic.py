"""Mimetic initialisation of a small ViT (Trockman and Kolter, 2023, arXiv:2305.09828).

Attention starts where trained ViTs end: queries and keys that match a token with itself, values
and projections that subtract it, and sinusoidal positions. It spares a nano ViT many epochs.
"""

import torch
from open_clip.transformer import VisionTransformer
from torch import Generator, Tensor

QUERY_KEY = 0.7
"""alpha_1 and beta_1 of the paper, section 4."""
VALUE = 0.4
"""alpha_2 and beta_2."""
POSITION_SCALE = 0.25


@torch.no_grad()
def mimetic_init(visual: VisionTransformer, generator: Generator) -> None:
    """Overwrite the attention weights and positions of every block in place."""
    width = visual.conv1.out_channels
    for block in visual.transformer.resblocks:
        heads = block.attn.num_heads
        pairs = [
            _factors(_noisy(width, QUERY_KEY, generator), width // heads) for _ in range(heads)
        ]
        into, out = _factors(_noisy(width, VALUE, generator, sign=-1.0), width)
        queries, keys = (torch.cat(parts) for parts in zip(*pairs))
        block.attn.in_proj_weight.copy_(torch.cat([queries, keys, out]))
        block.attn.out_proj.weight.copy_(into.T)
    patches = visual.positional_embedding.shape[0] - 1
    visual.positional_embedding[1:] = POSITION_SCALE * _sincos(round(patches**0.5), width)


def _noisy(width: int, scale: float, generator: Generator, sign: float = 1.0) -> Tensor:
    """A noisy multiple of the identity, [width, width]."""
    noise = torch.randn(width, width, generator=generator) / width**0.5
    return scale * noise + sign * scale * torch.eye(width)


def _factors(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """(A, B), each [rank, width], with A^T B the best rank-`rank` approximation of `matrix`."""
    left, values, right = torch.linalg.svd(matrix)
    roots = values[:rank].sqrt()
    return (left[:, :rank] * roots).T, right[:rank] * roots[:, None]


def _sincos(side: int, width: int) -> Tensor:
    """Sinusoids of row and column, [side * side, width]."""
    frequencies = 10000.0 ** -(torch.arange(width // 4) / (width // 4))
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    y, x = rows.flatten()[:, None] * frequencies, columns.flatten()[:, None] * frequencies
    return torch.cat([y.sin(), y.cos(), x.sin(), x.cos()], dim=1)

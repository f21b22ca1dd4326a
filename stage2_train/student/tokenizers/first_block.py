"""A tokenizer's last step: the class token goes before the others, ready for the first block."""

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor


def class_token(visual: VisionTransformer) -> Tensor:
    """The trunk's own class token with its position, float [width]."""
    return visual.class_embedding + visual.positional_embedding[0]


def first_block_input(visual: VisionTransformer, first: Tensor, tokens: Tensor) -> Tensor:
    """Class token `first` [width] before `tokens` [B, N, width], through the trunk's `ln_pre`."""
    # shape[0], not len(): torch.export takes a length for a constant
    first = first.to(tokens.dtype).expand(tokens.shape[0], 1, -1)
    return visual.ln_pre(torch.cat((first, tokens), dim=1))

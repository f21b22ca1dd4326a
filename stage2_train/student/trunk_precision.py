"""The frozen trunk in a lower precision, as autocast would see it."""

from copy import deepcopy

import torch
from open_clip.transformer import VisionTransformer
from torch import nn


def with_matrices_in(dtype: torch.dtype, visual: VisionTransformer) -> VisionTransformer:
    """A copy of `visual` whose products under autocast to `dtype` need no cast and come out equal.

    Weights and biases of linears, convolutions and attention are cast; norms, positions and the
    class token, which autocast leaves as they are, are not.
    """
    copy = deepcopy(visual)
    for module in copy.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.to(dtype)
        elif isinstance(module, nn.MultiheadAttention):
            for weights in (module.in_proj_weight, module.in_proj_bias):
                weights.data = weights.data.to(dtype)
    if copy.proj is not None:
        copy.proj.data = copy.proj.data.to(dtype)
    return copy

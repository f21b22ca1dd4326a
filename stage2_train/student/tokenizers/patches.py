"""Embeddings of an image's patches: a convolution whose kernel is as large as its stride."""

import torch.nn.functional as F
from torch import Tensor


def patch_embeddings(images: Tensor, weight: Tensor) -> Tensor:
    """[B, patches, width] of images [B, C, H, W]; `weight` [width, C, P, P] covers one patch."""
    if images.is_cuda:  # cuDNN may pick what takes several times as long
        return F.linear(pixels_of_patches(images, weight.shape[-1]), weight.flatten(1))
    return F.conv2d(images, weight, stride=weight.shape[-2:]).flatten(2).transpose(1, 2)


def pixels_of_patches(images: Tensor, size: int) -> Tensor:
    """[B, patches, C * size * size] of images [B, C, H, W], row after row of patches."""
    cells = images.unflatten(3, (-1, size)).unflatten(2, (-1, size))
    return cells.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)

"""Random crops, flips, colours and erased boxes for a whole batch of images at once."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

CROP_AREA = (0.5, 1.0)
CROP_RATIO = (3 / 4, 4 / 3)
JITTER = 0.3
ERASE_SHARE = 0.1
_ERASE_SIDE = (0.15, 0.5)


def augment(images: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """float32 [B,3,size,size] in 0..1 from uint8 [B,3,H,W]; all randomness from `generator`."""
    pixels = _crop_and_flip(images.float() / 255, size, generator)
    pixels = _jitter(pixels, generator).clamp(0, 1)
    return pixels.masked_fill(_boxes(pixels, generator), 0.0)


def _uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def _crop_and_flip(pixels: Tensor, size: int, generator: torch.Generator) -> Tensor:
    count = len(pixels)
    area = _uniform(*CROP_AREA, count, generator)
    ratio = _uniform(math.log(CROP_RATIO[0]), math.log(CROP_RATIO[1]), count, generator).exp()
    width = (area * ratio).sqrt().clamp(max=1)
    height = (area / ratio).sqrt().clamp(max=1)
    flip = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = width * flip, height
    theta[:, 0, 2] = (1 - width) * _uniform(-1, 1, count, generator)
    theta[:, 1, 2] = (1 - height) * _uniform(-1, 1, count, generator)
    grid = affine_grid(theta, [count, 3, size, size], align_corners=False)
    return grid_sample(pixels, grid, align_corners=False, padding_mode="border")


def _jitter(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Brightness, contrast and saturation, in this order."""
    brightness, contrast, saturation = (
        _uniform(1 - JITTER, 1 + JITTER, len(pixels), generator).view(-1, 1, 1, 1) for _ in range(3)
    )
    pixels = pixels * brightness
    mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
    pixels = mean + (pixels - mean) * contrast
    grey = pixels.mean(dim=1, keepdim=True)
    return grey + (pixels - grey) * saturation


def _boxes(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """bool [B,1,H,W]: a random box in a quarter of the images."""
    count, side = len(pixels), pixels.shape[-1]
    height, width = (_uniform(*_ERASE_SIDE, count, generator) for _ in range(2))
    top = (1 - height) * torch.rand(count, generator=generator)
    left = (1 - width) * torch.rand(count, generator=generator)
    erased = torch.rand(count, generator=generator) < ERASE_SHARE
    place = (torch.arange(side) + 0.5) / side
    rows = (place >= top[:, None]) & (place < (top + height)[:, None])
    columns = (place >= left[:, None]) & (place < (left + width)[:, None])
    return (erased[:, None, None] & rows[:, :, None] & columns[:, None, :])[:, None]

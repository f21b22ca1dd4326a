"""From canonical views of points and depth to ViT-Lens's input; `filterbank` does audio's.

Facts: TencentARC/ViT-Lens@2b4f2e0, vitlens/src/open_clip/modal_3d/processors/pc_processor.py and
modal_depth/processors/vt_processor.py.
"""

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, resize

from pipeline.views.points import SCALE, SHIFT
from stage1_extract.teachers.point_grouping import farthest_points, take_points

REACH = SCALE[1] + SHIFT * 3**0.5 + 1e-3
"""Farthest from the origin that a view in the unit sphere gets by its scale and shift."""
NEAREST, FARTHEST = 0.01, 75.0
"""Disparities outside, in pixels, are clamped; the farthest becomes 1."""
MEAN, STD = 0.0418, 0.0295
"""Of SUN RGB-D's disparities after that scaling."""


def prepare_cloud(view: np.ndarray, points: int) -> Tensor:
    """Turn a cloud [N, 3 or more] into float32 xyz [at most `points`, 3] in the unit sphere.

    A larger cloud is reduced to its farthest points, from the first on. A view was normalised
    before its augmentation and is left alone, as in official training; a cloud that reaches
    farther than a view can is a raw one, and is centred and scaled to radius 1.
    """
    xyz = torch.from_numpy(np.array(view[:, :3], np.float32))
    if len(xyz) > points:
        xyz = xyz[farthest_points(xyz[None], points, skip_near_origin=False)[0]]
    if xyz.square().sum(1).max() <= REACH**2:
        return xyz
    centred = xyz.double() - xyz.double().mean(0)
    return (centred / centred.square().sum(1).max().sqrt()).float()


def prepare_disparity(view: np.ndarray, size: int) -> Tensor:
    """Turn a disparity map float32 [H, W] or [1, H, W] in pixels into the model's [1, size, size].

    Clamp, scale to 0..1, short side to `size`, centre crop, standardise. The bicubic resize is
    NOT antialiased, as in the official stack (torchvision 0.12 on tensors).
    """
    disparity = torch.from_numpy(np.array(view, np.float32)).view(1, *view.shape[-2:])
    return prepare_disparities(disparity, size)


def prepare_disparities(maps: Tensor, size: int) -> Tensor:
    """`prepare_disparity` of maps float32 [..., 1, H, W] on any device."""
    scaled = maps.clamp(NEAREST, FARTHEST) / FARTHEST
    resized = resize(scaled, [size], InterpolationMode.BICUBIC, antialias=False)
    return (center_crop(resized, [size, size]) - MEAN) / STD


def prepare_clouds(xyz: Tensor, points: int) -> Tensor:
    """`prepare_cloud` of clouds float32 [B, N, 3] on any device, to rounding."""
    if xyz.shape[1] > points:
        xyz = take_points(xyz, farthest_points(xyz, points, skip_near_origin=False))
    centred = xyz.double() - xyz.double().mean(1, keepdim=True)
    radius = centred.square().sum(2).amax(1).sqrt()[:, None, None]
    raw = xyz.square().sum(2).amax(1) > REACH**2
    return torch.where(raw[:, None, None], (centred / radius).float(), xyz)

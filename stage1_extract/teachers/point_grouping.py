"""Local patches of a point cloud: farthest-point centres and their nearest neighbours."""

import fpsample
import numpy as np
import torch
from torch import Tensor

from pipeline import farthest_points as on_device

NEAR_ORIGIN = 1e-3
"""Squared norm up to which pointnet2_ops never picks a point (sampling_gpu.cu)."""


@torch.no_grad()
def farthest_points(xyz: Tensor, count: int, skip_near_origin: bool = True) -> Tensor:
    """Return indices int64 [B, count] of farthest-point sampling over xyz [B, N, 3].

    The semantics of pointnet2_ops: the first pick is index 0; points whose squared norm is at
    most 1e-3 are never picked after it; ties go to the lowest index; when every eligible point is
    at distance 0 the lowest eligible one repeats, and with none eligible index 0 does.
    `skip_near_origin=False` makes every point eligible, for codes without that rule (ViT-Lens).
    """
    xyz = xyz.detach().float()
    eligible = (xyz * xyz).sum(-1) > (NEAR_ORIGIN if skip_near_origin else -1.0)
    if xyz.device.type != "cpu":
        return on_device.farthest_points(xyz, eligible, count)
    clouds = zip(xyz.numpy(), eligible.numpy(), strict=True)
    return torch.from_numpy(np.stack([_sample(*cloud, count) for cloud in clouds]))


def _sample(xyz: np.ndarray, eligible: np.ndarray, count: int) -> np.ndarray:
    # fpsample breaks ties towards the last point, so the eligible points go in reversed; an
    # ineligible start goes first, where no tie can bring it back.
    start_only = np.flatnonzero(~eligible[:1])
    order = np.concatenate([start_only, np.flatnonzero(eligible)[::-1]])
    start = 0 if len(start_only) else len(order) - 1
    picked = fpsample.fps_sampling(xyz[order], min(count, len(order)), start_idx=start)
    exhausted = np.full(count - len(picked), order[-1])
    return np.concatenate([order[picked.astype(np.int64)], exhausted])


@torch.no_grad()
def nearest_points(xyz: Tensor, centres: Tensor, count: int) -> Tensor:
    """Return indices int64 [B, G, count] of the points nearest to each centre, in no set order.

    Squared distances in the expanded form a2 + b2 - 2ab in float32, as the official codes do.
    """
    distances = torch.baddbmm(
        (centres * centres).sum(-1)[:, :, None] + (xyz * xyz).sum(-1)[:, None],
        centres,
        xyz.transpose(1, 2),
        alpha=-2,
    )
    return distances.topk(count, dim=-1, largest=False, sorted=False).indices


def take_points(points: Tensor, indices: Tensor) -> Tensor:
    """Return points [B, ..., C] picked from [B, N, C] by indices [B, ...]."""
    flat = indices.flatten(1)[:, :, None].expand(-1, -1, points.shape[-1])
    return points.gather(1, flat).view(*indices.shape, points.shape[-1])


def group_points(
    points: Tensor, groups: int, size: int, skip_near_origin: bool = True
) -> tuple[Tensor, Tensor]:
    """Cut clouds [B, N, 3 + C] into centres [B, G, 3] and patches [B, G, S, 3 + C].

    Both searches see xyz only, in float32 even under autocast; patch coordinates are relative to
    the centre, further channels are unchanged.
    """
    with torch.autocast(points.device.type, enabled=False):
        points = points.float()
        xyz = points[..., :3].contiguous()
        centres = take_points(xyz, farthest_points(xyz, groups, skip_near_origin))
        patches = take_points(points, nearest_points(xyz, centres, size))
        relative = patches[..., :3] - centres[:, :, None]
        return centres, torch.cat([relative, patches[..., 3:]], dim=-1)

"""Local patches of a point cloud: farthest-point centres and their nearest neighbours."""

import torch
from torch import Tensor

from pipeline import farthest_points as any_cloud

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
    return any_cloud.farthest_points(xyz, eligible, count)


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

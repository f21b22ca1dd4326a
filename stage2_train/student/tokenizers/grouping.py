"""Point clouds into local groups: farthest point sampling, then each centre's nearest neighbours.

The same groups in two places: `group_points` takes one cloud on the CPU (in a data loader, say),
`group_batch` a batch on any device. Both start at point 0 and are pure functions of the cloud.
"""

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from pipeline.errors import UserError
from pipeline.farthest_points import farthest_points
from pipeline.farthest_points_numpy import farthest_points_of

_CLOUDS_AT_ONCE = 128
"""Bounds the distance matrix on a device: 128 x 512 x 8192 float32 are 2 GB."""


def group_points(points: np.ndarray, groups: int, group_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut one cloud into `groups` neighbourhoods of `group_size` points.

    Args:
        points: float [N, 3 or more]; only the first three columns, xyz, are read.

    Returns:
        Neighbours minus their centre, float32 [groups, group_size, 3], and the centres, float32
        [groups, 3]. Neighbours come nearest first; the centre itself is one of them.

    Raises:
        UserError: fewer points than `groups` or `group_size`.
    """
    xyz = np.ascontiguousarray(points[:, :3], dtype=np.float32)
    _check_count(len(xyz), groups, group_size)
    centres = xyz[farthest_points_of(xyz, groups)]
    # A plain, unbalanced tree: building it is most of the time, and its queries are exact too.
    tree = cKDTree(xyz, leafsize=32, balanced_tree=False, compact_nodes=False)
    nearest = tree.query(centres, group_size)[1].reshape(groups, group_size)
    return xyz[nearest] - centres[:, None], centres


def group_batch(points: Tensor, groups: int, group_size: int) -> tuple[Tensor, Tensor]:
    """`group_points` for a batch [B, N, 3 or more], on its own device.

    Returns float32 [B, groups, group_size, 3] and [B, groups, 3]; neighbours come in any order.
    """
    xyz = points[..., :3].float()
    _check_count(xyz.shape[1], groups, group_size)
    if xyz.device.type == "cpu":
        pairs = [group_points(cloud.numpy(), groups, group_size) for cloud in xyz]
        neighbourhoods, centres = (np.stack(parts) for parts in zip(*pairs))
        return torch.from_numpy(neighbourhoods), torch.from_numpy(centres)
    parts = [_group_on_device(part, groups, group_size) for part in xyz.split(_CLOUDS_AT_ONCE)]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _check_count(found: int, groups: int, group_size: int) -> None:
    if found < max(groups, group_size):
        raise UserError(
            f"a cloud of {found} points cannot give {groups} groups of {group_size}; "
            "it needs at least as many points as either: lower student.points in the params "
            "or use denser clouds"
        )


def _group_on_device(xyz: Tensor, groups: int, group_size: int) -> tuple[Tensor, Tensor]:
    every = torch.ones(xyz.shape[:2], dtype=torch.bool, device=xyz.device)
    centres = _take(xyz, farthest_points(xyz, every, groups))
    nearest = _squared_distances(centres, xyz).topk(group_size, largest=False, sorted=False).indices
    neighbours = _take(xyz, nearest.flatten(1)).view(*nearest.shape, 3)
    return neighbours - centres[:, :, None], centres


def _squared_distances(centres: Tensor, xyz: Tensor) -> Tensor:
    """[B, G, N] of [B, G, 3] and [B, N, 3], coordinate by coordinate.

    Of differences, not in the expanded form, whose cancellation would reorder close neighbours;
    `torch.cdist` without products takes ten times as long on a GPU.
    """

    def apart(axis: int) -> Tensor:
        return centres[:, :, None, axis] - xyz[:, None, :, axis]

    total = apart(0).square_()
    for axis in (1, 2):
        difference = apart(axis)
        total.addcmul_(difference, difference)
    return total


def _take(xyz: Tensor, indices: Tensor) -> Tensor:
    return xyz.gather(1, indices.unsqueeze(-1).expand(-1, -1, 3))

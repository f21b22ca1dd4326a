"""Farthest point sampling of a batch of clouds on any device.

Its steps depend on each other, so on a GPU their launches would take all the time: a fused kernel
takes them all, one program a cloud, whose points and distances stay in registers. Where there is no
Triton, or a cloud has too many points for that, the same rule runs as one torch step a pick; on the
CPU numpy takes cloud after cloud.
"""

import numpy as np
import torch
from torch import Tensor

from pipeline.farthest_points_numpy import farthest_points_of

try:
    from pipeline.farthest_points_kernel import LARGEST, fused_picks
except ImportError:  # Triton has wheels for Linux only
    LARGEST = 0


@torch.no_grad()
def farthest_points(xyz: Tensor, eligible: Tensor, count: int) -> Tensor:
    """Indices int64 [B, count] of farthest points in [B, N, 3], from index 0 on.

    The rule is that of `farthest_points_of`, and so are the picks on every device.

    Args:
        xyz: float32.
        eligible: bool [B, N]; the first pick is index 0 all the same.
        count: picks of each cloud.
    """
    if xyz.device.type == "cpu":
        clouds = zip(xyz.numpy(), eligible.numpy())
        picks = [farthest_points_of(cloud, count, allowed) for cloud, allowed in clouds]
        return torch.from_numpy(np.stack(picks))
    distance = torch.where(eligible, torch.inf, -1.0)
    if xyz.is_cuda and xyz.shape[1] <= LARGEST:
        return fused_picks(xyz.contiguous(), distance, count)
    return _picks_in_torch(xyz, distance, count)


def _picks_in_torch(xyz: Tensor, distance: Tensor, count: int) -> Tensor:
    """`distance` is infinite for points to pick, -1 for the others."""
    picks = torch.zeros(len(xyz), count, dtype=torch.int64, device=xyz.device)
    for step in range(1, count):
        last = xyz.gather(1, picks[:, step - 1, None, None].expand(-1, -1, 3))
        x, y, z = (xyz - last).square().unbind(-1)
        distance = torch.minimum(distance, x + y + z)
        # argmax may return any of several equal maxima; the first one is wanted
        ties = distance == distance.amax(-1, keepdim=True)
        picks[:, step] = ties.int().argmax(-1)
    return picks

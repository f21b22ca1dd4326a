"""The fused kernel of farthest point sampling, in Triton."""

import torch
import triton
import triton.language as tl
from torch import Tensor

LARGEST = 16384
"""Points of a cloud that fit into one program's registers, with their distances."""
_POINTS_A_WARP = 512
"""16 a thread: 64 registers for coordinates and distances."""


@triton.jit
def _pick(xyz, distance, picks, points, COUNT: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    cloud = tl.program_id(0).to(tl.int64)
    xyz += cloud * points * 3
    picks += cloud * COUNT
    index = tl.arange(0, BLOCK)
    there = index < points
    x = tl.load(xyz + index * 3, there, 0.0)
    y = tl.load(xyz + index * 3 + 1, there, 0.0)
    z = tl.load(xyz + index * 3 + 2, there, 0.0)
    nearest = tl.load(distance + cloud * points + index, there, -2.0)
    last = 0
    for step in range(1, COUNT):
        dx = x - tl.load(xyz + last * 3)
        dy = y - tl.load(xyz + last * 3 + 1)
        dz = z - tl.load(xyz + last * 3 + 2)
        nearest = tl.minimum(nearest, dx * dx + dy * dy + dz * dz)
        nearest = tl.where(there, nearest, -2.0)
        last = tl.argmax(nearest, 0)
        tl.store(picks + step, last.to(tl.int64))


def fused_picks(xyz: Tensor, distance: Tensor, count: int) -> Tensor:
    """Indices int64 [B, count] of farthest points.

    Args:
        xyz: float32 [B, N, 3], contiguous, N at most `LARGEST`.
        distance: float32 [B, N], contiguous: infinite for points to pick, -1 for the others.
        count: picks of each cloud.
    """
    clouds, points, _ = xyz.shape
    picks = torch.zeros(clouds, count, dtype=torch.int64, device=xyz.device)
    block = triton.next_power_of_2(points)
    warps = min(32, max(1, block // _POINTS_A_WARP))
    # Fused multiply-adds would round otherwise than numpy and torch do, and pick other points.
    settings = {"COUNT": count, "BLOCK": block, "num_warps": warps, "enable_fp_fusion": False}
    _pick[(clouds,)](xyz, distance, picks, points, **settings)
    return picks

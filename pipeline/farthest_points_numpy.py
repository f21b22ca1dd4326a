"""Farthest point sampling of one cloud, in numpy: nothing to compile, the same picks everywhere."""

import numpy as np


def farthest_points_of(
    xyz: np.ndarray, count: int, eligible: np.ndarray | None = None, first: int = 0
) -> np.ndarray:
    """Indices int64 [count] of farthest points in a cloud float32 [N, 3].

    The first pick is `first`; each next one is the eligible point farthest from all picked ones,
    the lowest index among equals. So where every eligible point is picked the lowest one repeats,
    and where none is index 0 does. Squared distances x*x + y*y + z*z are rounded after every
    operation, as torch does and the fused kernel too.

    Args:
        xyz: finite, at least one point.
        count: picks, at least one.
        eligible: bool [N]; default: every point.
        first: need not be eligible.
    """
    rows = np.ascontiguousarray(xyz.T, dtype=np.float32)
    apart, farther = np.empty_like(rows), np.empty(len(xyz), np.float32)
    nearest = np.full(len(xyz), np.inf, np.float32)
    if eligible is not None:
        nearest[~eligible] = -1
    picks = np.full(count, first)
    with np.errstate(over="ignore"):  # infinitely far is farthest
        for step in range(1, count):
            np.subtract(rows, rows[:, picks[step - 1], None], out=apart)
            np.square(apart, out=apart)
            np.add(apart[0], apart[1], out=farther)
            np.add(farther, apart[2], out=farther)
            np.minimum(nearest, farther, out=nearest)
            picks[step] = nearest.argmax()
    return picks

"""Point cloud views: ULIP's training augmentation in its order, to float32 [P, 3] or [P, 6].

Order and values: salesforce/ULIP `data/dataset_3d.py` and `utils`, the reference [22] that the
supplement names. RandPerturb is the small rotation; ULIP's jitter is defined there but not used.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.farthest_points_numpy import farthest_points_of
from pipeline.views.rng import ViewRng, philox

MAX_DROPOUT = 0.875
SCALE = (0.8, 1.25)
SHIFT = 0.1
PERTURB_SIGMA, PERTURB_CLIP = 0.06, 0.18
"""Radians."""

POINTS_CHAIN = (
    f"subset, unit sphere, RandDropout({MAX_DROPOUT}), RandScale{SCALE}, RandShift({SHIFT}), "
    f"RandPerturb(sigma={PERTURB_SIGMA}, clip={PERTURB_CLIP}), RandRotate(y); v3"
)


@dataclass(frozen=True)
class PointsParams:
    """Everything random in a cloud's view."""

    subset: np.ndarray
    """Uint64 [2]: key of the random order in which the stored points are taken."""
    dropped: np.ndarray
    """Bool [P]: points that collapse onto the first one."""
    scale: float
    shift: np.ndarray
    """[3]."""
    perturb: np.ndarray
    """[3] radians about x, y and z."""
    rotate: float
    """Radians about y, the up axis of ULIP's data."""


@dataclass(frozen=True)
class WholeParams:
    """The evaluation view: nothing is random."""


def sample_points(rng: ViewRng, count: int) -> PointsParams:
    """Draw the chain of a view of `count` points, before the stored size is known."""
    ratio = rng.uniform() * MAX_DROPOUT
    return PointsParams(
        dropped=rng.uniforms(count) <= ratio,
        scale=rng.uniform(*SCALE),
        shift=rng.uniforms(3, -SHIFT, SHIFT),
        perturb=np.clip(PERTURB_SIGMA * rng.normals(3), -PERTURB_CLIP, PERTURB_CLIP),
        rotate=rng.uniform() * 2 * np.pi,
        subset=rng.raw(2),
    )


def apply_points(cloud: np.ndarray, params: object, count: int) -> np.ndarray:
    """The canonical view float32 [count, 3|6] of a stored cloud [N, 3|6]; pure.

    A cloud with fewer points repeats them. Colours, if any, stay as they are.
    """
    if isinstance(params, WholeParams):
        points = cloud[_spread(cloud, count)].astype(np.float32)
        points[:, :3] = _unit_sphere(points[:, :3]).T
        return points
    assert isinstance(params, PointsParams)
    subset = _random_subset(params.subset, len(cloud), count)
    points = cloud.take(subset, axis=0).astype(np.float32)
    xyz = _unit_sphere(points[:, :3])
    np.copyto(xyz, xyz[:, :1], where=params.dropped)
    xyz = xyz * np.float32(params.scale) + params.shift.astype(np.float32)[:, None]
    points[:, :3] = _turned(xyz, _about_y(params.rotate).T @ _euler(params.perturb).T).T
    np.copyto(points[:, 3:], points[0, 3:], where=params.dropped[:, None])
    return points


def _random_subset(words: np.ndarray, stored: int, count: int) -> np.ndarray:
    """Indices [count] into the stored points: a random order, cut short or run through again."""
    low = np.uint64((1 << stored.bit_length()) - 1)
    random = philox(words).random_raw(stored)
    # With its index in the low bits no value occurs twice, so any sort gives the one order.
    order = np.sort((random & ~low) | np.arange(stored, dtype=np.uint64)) & low
    return np.resize(order.astype(np.intp), count)


def _spread(cloud: np.ndarray, count: int) -> np.ndarray:
    """Indices [count]: all points (repeated if there are too few), or the farthest from 0 on."""
    if len(cloud) <= count:
        return np.resize(np.arange(len(cloud)), count)
    # v3 breaks ties towards the last point
    last = len(cloud) - 1
    return last - farthest_points_of(cloud[::-1, :3], count, first=last)


def _unit_sphere(xyz: np.ndarray) -> np.ndarray:
    """ULIP's pc_norm of [N, 3] in float64: centroid at the origin, farthest point at distance 1.

    Coordinates come out as rows, float32 [3, N]: numpy is several times faster along rows.
    """
    rows = np.ascontiguousarray(xyz.T, dtype=np.float64)
    rows -= rows.mean(axis=1, keepdims=True)
    radius = np.sqrt((rows[0] ** 2 + rows[1] ** 2 + rows[2] ** 2).max())
    return (rows / (radius or 1.0)).astype(np.float32)


def _turned(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """3x3 matrix times rows [3, N] without BLAS, whose rounding differs between machines."""
    (x, y, z), m = rows, matrix.astype(np.float32)
    return np.stack([m[i, 0] * x + m[i, 1] * y + m[i, 2] * z for i in range(3)])


def _about_y(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _euler(angles: np.ndarray) -> np.ndarray:
    """Rz Ry Rx, as ULIP's rotate_perturbation composes them."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return rz @ ry @ rx

"""Point clouds sampled uniformly by area on a model's surface."""

import hashlib

import numpy as np
import trimesh

from demo.meshes import Model
from pipeline.errors import UserError

POINTS = 1536
_STEP = 2.0**-9  # a tenth of the spacing of the points; saves a quarter of the zip


def sample_points(model: Model, key: str) -> np.ndarray:
    """float16 [1536,3] in random order, y up, mean 0, largest norm 1; a pure function of both.

    A model without any surface area is a `UserError`.
    """
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
    mesh = trimesh.Trimesh(model.vertices, model.faces, process=False)
    if not (np.isfinite(mesh.area) and mesh.area > 0):
        raise UserError(f"{key}: the mesh has no surface area")
    points, _ = trimesh.sample.sample_surface(mesh, POINTS, seed=seed)
    return quantise(normalise(np.random.default_rng(seed).permutation(np.asarray(points))))


def normalise(points: np.ndarray) -> np.ndarray:
    """ULIP's pc_norm: subtract the mean point, divide by the largest distance from it."""
    centred = points - points.mean(axis=0)
    return centred / np.linalg.norm(centred, axis=1).max()


def quantise(points: np.ndarray) -> np.ndarray:
    """Round coordinates to multiples of 2^-9; exact in float16."""
    return (np.round(points / _STEP) * _STEP).astype(np.float16)

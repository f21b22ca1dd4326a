"""Pinhole cameras around a model: which square of the image plane to show, and its rays.

Camera coordinates are right, up and back (away from what is looked at); lengths are in radii of
the model's bounding sphere.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from demo.cameras import Camera

DISTANCE = 3.2
"""Of the camera from the model's centre."""
_MARGIN = 1.08


@dataclass(frozen=True)
class Window:
    """A square of the image plane, which lies at distance 1 before the camera."""

    centre: np.ndarray
    """float64 [2], right and up of the optical axis."""
    half: float
    """Half its side."""

    def focal_length(self, side: int) -> float:
        """In pixels of an image of `side` pixels."""
        return side / (2 * self.half)


@dataclass(frozen=True)
class Rays:
    """One ray a pixel, row by row from the top left."""

    origin: np.ndarray
    """float64 [3]."""
    directions: np.ndarray
    """float64 [P,3], of length 1."""
    axes: np.ndarray
    """float64 [3,3]: the camera's right, up and back."""


def window_around(vertices: np.ndarray, cameras: Iterable[Camera]) -> Window:
    """The window that `vertices` [V,3] fill, up to a margin, under all `cameras` together."""
    bounds = [_bounds(vertices, camera) for camera in cameras]
    low, high = np.min(bounds, axis=0)[0], np.max(bounds, axis=0)[1]
    return Window((low + high) / 2, float((high - low).max() / 2 * _MARGIN))


def cast_rays(camera: Camera, window: Window, side: int) -> Rays:
    """Rays through the centres of `side` x `side` pixels."""
    axes = camera_axes(camera)
    steps = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(steps * window.half, -steps * window.half)
    x, y = x + window.centre[0], y + window.centre[1]
    local = np.stack([x, y, np.full_like(x, -1.0)], axis=-1).reshape(-1, 3)
    return Rays(axes[2] * DISTANCE, unit(local @ axes), axes)


def camera_axes(camera: Camera) -> np.ndarray:
    """float64 [3,3]: right, up and back."""
    azimuth, elevation = np.radians([camera.azimuth, camera.elevation])
    back = np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ]
    )
    right = unit(np.cross([0.0, 1.0, 0.0], back))
    return np.stack([right, np.cross(back, right), back])


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scaled to length 1 along the last axis."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-20)


def _bounds(vertices: np.ndarray, camera: Camera) -> np.ndarray:
    """float64 [2,2]: lowest and highest x, y of the vertices in the image plane."""
    axes = camera_axes(camera)
    local = (vertices - axes[2] * DISTANCE) @ axes.T
    plane = local[:, :2] / -local[:, 2:]
    return np.stack([plane.min(axis=0), plane.max(axis=0)])

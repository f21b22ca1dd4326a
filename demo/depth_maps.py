"""Depth maps of a model, as a stereo camera before a wall would store them.

Every model is taken to be as large as the next: in their real sizes, and as near as the frame asks,
a cup would be beyond the range of disparities and a tree without any. The wall is there because a
hole in a depth map is read as the nearest depth (pipeline/decoding/depth.py).
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from demo.cameras import Camera
from demo.framing import window_around
from demo.render import Scene

SIDE = 96
_RADIUS = 0.5
"""Metres, of every model's bounding sphere."""
_WALL = 2600
"""Millimetres from the camera along its axis: 0.5 m behind the sphere."""
_STEP = 4
"""Millimetres: at most 0.05 pixels of disparity off, and a fifth fewer bytes than single ones."""
_BASELINE = 0.075
"""Metres, as between the eyes of SUN RGB-D's Kinects."""


@dataclass(frozen=True)
class DepthMap:
    """What one camera sees of a model."""

    png: bytes
    """16-bit grey [96,96], millimetres along the optical axis."""
    sensor: dict[str, Any]
    """`depth` of meta.json."""


def depth_map(scene: Scene, camera: Camera) -> DepthMap:
    """The depth map in the frame of the camera's render."""
    window = window_around(scene.vertices, [camera])
    metres = scene.depth(camera, window, SIDE) * _RADIUS
    focal_length = round(window.focal_length(SIDE), 3)
    sensor = {"encoding": "millimetres", "baseline": _BASELINE, "fx": focal_length}
    return DepthMap(_png(np.minimum(metres * 1000, _WALL)), sensor)


def _png(millimetres: np.ndarray) -> bytes:
    stored = (np.round(millimetres / _STEP) * _STEP).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()

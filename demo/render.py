"""Ray-cast renders and depths of a model from virtual cameras on the CPU, through Embree.

A ray caster rather than a z-buffer rasteriser, because leaves (alpha textures) and glass need
several layers per pixel, and because the distance along the ray is an exact depth.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
from PIL import Image

from demo.cameras import Camera
from demo.framing import Rays, Window, cast_rays, unit, window_around
from demo.meshes import Material, Model

SIZE = 128
BACKGROUND = np.array([0.93, 0.93, 0.93], np.float32)
_SUPERSAMPLING = 2
_LAYERS = 8
_LIGHT = np.array([-0.35, 0.55, 0.75])  # in camera axes: left, up, towards the camera
_AMBIENT, _DIFFUSE = 0.55, 0.75  # sum above 1: most models mean white by a Kd of 0.8
_VISIBLE = 0.1  # of a pixel's light: what gives less is no surface but the edge of a cut-out


@dataclass(frozen=True)
class _Layer:
    """The next surface along those rays that still see through the ones before."""

    rays: np.ndarray
    """int [H]: which rays meet it."""
    distance: np.ndarray
    """float32 [H], from the camera."""
    normals: np.ndarray
    """float32 [H,3], of any length."""
    rgb: np.ndarray
    """float32 [H,3], 0..1."""
    share: np.ndarray
    """float32 [H]: how much of a pixel's light is its own, 0..1."""


class Scene:
    """A model ready for casting; centred, its bounding sphere at the origin with radius 1."""

    def __init__(self, model: Model) -> None:
        centre = (model.vertices.min(axis=0) + model.vertices.max(axis=0)) / 2
        vertices = model.vertices - centre
        self.vertices = vertices / np.linalg.norm(vertices, axis=1).max()
        self._model = model
        self._embree = rtcore_scene.EmbreeScene()
        TriangleMesh(self._embree, self.vertices.astype(np.float32), model.faces.astype(np.int32))

    def render(self, camera: Camera, side: int = SIZE, window: Window | None = None) -> np.ndarray:
        """uint8 [side,side,3]; without a window, the model fills it up to a small margin."""
        window = window or window_around(self.vertices, [camera])
        rays = cast_rays(camera, window, side * _SUPERSAMPLING)
        light = unit(rays.axes.T @ _LIGHT)
        colour = np.zeros((len(rays.directions), 3), np.float32)
        through = np.ones(len(rays.directions), np.float32)
        for layer in self._layers(rays, through):
            shade = _shade(layer.normals, rays.directions[layer.rays], light)
            colour[layer.rays] += layer.share[:, None] * layer.rgb * shade[:, None]
        colour += through[:, None] * BACKGROUND
        return _downsample(colour, side)

    def depth(self, camera: Camera, window: Window, side: int) -> np.ndarray:
        """Depth along the optical axis, float64 [side,side], in radii; infinite beside the model.

        It is that of the first surface that `render` shows: glass counts, as its opacity here is
        0.12 and more; the parts of a leaf that its texture's alpha cuts out do not.
        """
        rays = cast_rays(camera, window, side)
        along_axis = -(rays.directions @ rays.axes[2])
        depth = np.full(side * side, np.inf)
        through = np.ones(side * side, np.float32)
        for layer in self._layers(rays, through):
            reached = np.isinf(depth[layer.rays]) & (through[layer.rays] <= 1 - _VISIBLE)
            hit = layer.rays[reached]
            depth[hit] = layer.distance[reached] * along_axis[hit]
        return depth.reshape(side, side)

    def _layers(self, rays: Rays, through: np.ndarray) -> Iterator[_Layer]:
        """Surfaces from near to far; lessens `through` [P], what is left of each ray's light."""
        start = np.zeros(len(through), np.float32)
        live = np.arange(len(through))
        for _ in range(_LAYERS):
            hits = self._embree.run(
                (rays.origin + rays.directions[live] * start[live, None]).astype(np.float32),
                rays.directions[live].astype(np.float32),
                output=True,
            )
            hit = hits["primID"] >= 0
            live, hits = live[hit], {key: value[hit] for key, value in hits.items()}
            if not len(live):
                return
            rgb, alpha = self._surface(hits["primID"], hits["u"], hits["v"])
            share, distance = through[live] * alpha, start[live] + hits["tfar"]
            through[live] *= 1 - alpha
            start[live] += hits["tfar"] + 1e-4
            yield _Layer(live, distance, hits["Ng"], rgb, share)
            live = live[through[live] > 0.02]

    def _surface(
        self, face: np.ndarray, u: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Colour [H,3] and opacity [H] at barycentric coordinates of the faces hit."""
        corners = self._model.uv[self._model.faces[face]]
        weights = np.stack([1 - u - v, u, v], axis=1)
        uv = (corners * weights[:, :, None]).sum(axis=1)
        rgb, alpha = np.empty((len(face), 3), np.float32), np.empty(len(face), np.float32)
        owner = self._model.face_material[face]
        for index in np.unique(owner):
            chosen = owner == index
            rgb[chosen], alpha[chosen] = _look(self._model.materials[index], uv[chosen])
        return rgb, alpha


def webp_bytes(image: np.ndarray, quality: int) -> bytes:
    """Lossy WebP of a uint8 [H,W,3] image."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=quality, method=6)
    return buffer.getvalue()


def _shade(normals: np.ndarray, directions: np.ndarray, light: np.ndarray) -> np.ndarray:
    normals = unit(normals)
    facing = -np.sign((normals * directions).sum(axis=1, keepdims=True))
    lambert = np.clip((normals * facing) @ light, 0, 1)
    return (_AMBIENT + _DIFFUSE * lambert).astype(np.float32)


def _look(material: Material, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if material.texture is None:
        return (
            np.broadcast_to(material.colour, (len(uv), 3)),
            np.full(len(uv), material.opacity, np.float32),
        )
    height, width = material.texture.shape[:2]
    finite = np.nan_to_num(uv)
    column = np.floor(finite[:, 0] % 1.0 * width).astype(int).clip(0, width - 1)
    row = np.floor((1 - finite[:, 1] % 1.0) * height).astype(int).clip(0, height - 1)
    texel = material.texture[row, column]
    return texel[:, :3], texel[:, 3] * material.opacity


def _downsample(colour: np.ndarray, side: int) -> np.ndarray:
    grid = colour.reshape(side, _SUPERSAMPLING, side, _SUPERSAMPLING, 3).mean(axis=(1, 3))
    return (grid.clip(0, 1) * 255 + 0.5).astype(np.uint8)

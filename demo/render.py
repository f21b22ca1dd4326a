"""Ray-cast renders of a model from virtual cameras on the CPU, through Embree.

A ray caster rather than a z-buffer rasteriser, because leaves (alpha textures) and glass need
several layers per pixel, and because the distance along the ray is an exact depth.
"""

import io

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
from PIL import Image

from demo.cameras import Camera
from demo.meshes import Material, Model

SIZE = 128
BACKGROUND = np.array([0.93, 0.93, 0.93], np.float32)
_SUPERSAMPLING = 2
_LAYERS = 8
_DISTANCE = 3.2  # of the camera from the centre, in radii of the model's bounding sphere
_MARGIN = 1.08
_LIGHT = np.array([-0.35, 0.55, 0.75])  # in camera axes: left, up, towards the camera
_AMBIENT, _DIFFUSE = 0.55, 0.75  # sum above 1: most models mean white by a Kd of 0.8


class Scene:
    """A model ready for casting; centred, its bounding sphere at the origin with radius 1."""

    def __init__(self, model: Model) -> None:
        centre = (model.vertices.min(axis=0) + model.vertices.max(axis=0)) / 2
        vertices = model.vertices - centre
        self._vertices = vertices / np.linalg.norm(vertices, axis=1).max()
        self._model = model
        self._embree = rtcore_scene.EmbreeScene()
        TriangleMesh(self._embree, self._vertices.astype(np.float32), model.faces.astype(np.int32))

    def render(self, camera: Camera) -> np.ndarray:
        """uint8 [128,128,3]: the model fills the frame up to a small margin."""
        origin, directions, axes = self._rays(camera)
        light = _unit(axes.T @ _LIGHT)
        colour = np.zeros((len(directions), 3), np.float32)
        through = np.ones(len(directions), np.float32)
        start = np.zeros(len(directions), np.float32)
        live = np.arange(len(directions))
        for _ in range(_LAYERS):
            hits = self._embree.run(
                (origin + directions[live] * start[live, None]).astype(np.float32),
                directions[live].astype(np.float32),
                output=True,
            )
            hit = hits["primID"] >= 0
            live, hits = live[hit], {key: value[hit] for key, value in hits.items()}
            if not len(live):
                break
            rgb, alpha = self._surface(hits["primID"], hits["u"], hits["v"])
            shade = self._shade(hits["Ng"], directions[live], light)
            colour[live] += (through[live] * alpha)[:, None] * rgb * shade[:, None]
            through[live] *= 1 - alpha
            start[live] += hits["tfar"] + 1e-4
            live = live[through[live] > 0.02]
        colour += through[:, None] * BACKGROUND
        return _downsample(colour)

    def _rays(self, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Camera position [3], unit ray directions [P,3], camera axes [3,3] (right, up, back)."""
        axes = _axes(camera)
        origin = axes[2] * _DISTANCE
        local = (self._vertices - origin) @ axes.T
        plane = local[:, :2] / -local[:, 2:]
        low, high = plane.min(axis=0), plane.max(axis=0)
        half = (high - low).max() / 2 * _MARGIN
        steps = (np.arange(SIZE * _SUPERSAMPLING) + 0.5) / (SIZE * _SUPERSAMPLING) * 2 - 1
        x, y = np.meshgrid(steps * half, -steps * half)
        x, y = x + (low + high)[0] / 2, y + (low + high)[1] / 2
        local_rays = np.stack([x, y, np.full_like(x, -1.0)], axis=-1).reshape(-1, 3)
        return origin, _unit(local_rays @ axes), axes

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

    @staticmethod
    def _shade(normals: np.ndarray, directions: np.ndarray, light: np.ndarray) -> np.ndarray:
        normals = _unit(normals)
        facing = -np.sign((normals * directions).sum(axis=1, keepdims=True))
        lambert = np.clip((normals * facing) @ light, 0, 1)
        return (_AMBIENT + _DIFFUSE * lambert).astype(np.float32)


def webp_bytes(image: np.ndarray, quality: int) -> bytes:
    """Lossy WebP of a uint8 [H,W,3] image."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=quality, method=6)
    return buffer.getvalue()


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


def _axes(camera: Camera) -> np.ndarray:
    azimuth, elevation = np.radians([camera.azimuth, camera.elevation])
    back = np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ]
    )
    right = _unit(np.cross([0.0, 1.0, 0.0], back))
    return np.stack([right, np.cross(back, right), back])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-20)


def _downsample(colour: np.ndarray) -> np.ndarray:
    grid = colour.reshape(SIZE, _SUPERSAMPLING, SIZE, _SUPERSAMPLING, 3).mean(axis=(1, 3))
    return (grid.clip(0, 1) * 255 + 0.5).astype(np.uint8)

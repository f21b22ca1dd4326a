"""Load one catalogue entry's OBJ with its materials as plain arrays, y up, front to +z."""

import io
import posixpath
from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh
from PIL import Image
from trimesh.exchange.obj import load_obj
from trimesh.visual.texture import TextureVisuals

from demo.catalogue import Catalogue, CatalogueEntry
from pipeline.errors import UserError

_TEXTURE_SIDE = 256  # renders are 128 px wide: a finer texture would only alias
_INVISIBLE = 0.05  # helper planes in some models have opacity 0.001
_GREY = np.full(3, 0.7, np.float32)  # for faces whose material the MTL does not define


@dataclass(frozen=True)
class Material:
    """Diffuse look of a face."""

    colour: np.ndarray
    """float32 [3], sRGB in 0..1."""
    opacity: float
    texture: np.ndarray | None
    """float32 [H,W,4], sRGB and alpha in 0..1, row 0 on top; replaces `colour` where present."""


@dataclass(frozen=True)
class Model:
    """A triangle mesh with materials per face."""

    vertices: np.ndarray
    """float64 [V,3], centimetres."""
    faces: np.ndarray
    """int64 [F,3]."""
    uv: np.ndarray
    """float64 [V,2], zero where the file has none."""
    face_material: np.ndarray
    """int64 [F], index into `materials`."""
    materials: tuple[Material, ...]


def load_model(catalogue: Catalogue, entry: CatalogueEntry) -> Model:
    """The entry's model, turned and scaled to the catalogue's size; `UserError` if it is empty."""
    text = io.BytesIO(catalogue.read(entry.model))
    parts = load_obj(text, resolver=_Resolver(catalogue, posixpath.dirname(entry.model)))
    model = _merge([part for part in parts.get("geometry", {}).values() if len(part["faces"])])
    if not len(model.faces):
        raise UserError(f"{entry.source}: no visible faces in {entry.model}")
    return Model(
        _fit(model.vertices @ entry.rotation.T, entry.size),
        model.faces,
        model.uv,
        model.face_material,
        model.materials,
    )


class _Resolver(trimesh.resolvers.Resolver):
    """Lets trimesh read the MTL and the textures beside an OBJ inside a catalogue."""

    def __init__(self, catalogue: Catalogue, folder: str) -> None:
        self._catalogue, self._folder = catalogue, folder

    def get(self, name: str) -> bytes:
        try:
            return self._catalogue.read(posixpath.join(self._folder, name.split(" -")[0].strip()))
        except KeyError as error:
            raise FileNotFoundError(name) from error

    def keys(self) -> list[str]:
        return []

    def write(self, name: str, data: bytes) -> None:
        raise UserError(f"{name}: a catalogue is only ever read")

    def namespaced(self, namespace: str) -> "_Resolver":
        return _Resolver(self._catalogue, posixpath.join(self._folder, namespace))


def _merge(parts: list[dict[str, Any]]) -> Model:
    vertices, faces, uv, face_material, offset = [], [], [], [], 0
    materials: list[Material] = []
    for part in parts:
        material = _material(part.get("visual"))
        triangles = trimesh.geometry.triangulate_quads(part["faces"])
        if material.opacity < _INVISIBLE:
            continue
        count = len(part["vertices"])
        face_material.append(np.full(len(triangles), len(materials)))
        materials.append(material)
        vertices.append(part["vertices"])
        uv.append(_uv(part.get("visual"), count))
        faces.append(triangles + offset)
        offset += count
    if not faces:
        return Model(
            np.zeros((0, 3)), np.zeros((0, 3), int), np.zeros((0, 2)), np.zeros(0, int), ()
        )
    return Model(
        np.concatenate(vertices),
        np.concatenate(faces),
        np.concatenate(uv),
        np.concatenate(face_material),
        tuple(materials),
    )


def _uv(visual: TextureVisuals | None, count: int) -> np.ndarray:
    uv = getattr(visual, "uv", None)
    return np.asarray(uv)[:, :2] if uv is not None and len(uv) == count else np.zeros((count, 2))


def _material(visual: TextureVisuals | None) -> Material:
    material = getattr(visual, "material", None)
    if material is None or not hasattr(material, "diffuse"):
        return Material(_GREY, 1.0, None)
    colour = np.asarray(material.diffuse[:3], np.float32) / 255
    return Material(colour, _opacity(material.kwargs), _texture(material.image))


def _opacity(properties: dict[str, Any]) -> float:
    try:
        return float(properties["d"][0])
    except (KeyError, IndexError, ValueError):
        return 1.0


def _texture(image: Image.Image | None) -> np.ndarray | None:
    if image is None:
        return None
    try:
        image = image.convert("RGBA")
    except OSError:  # a texture that cannot be decoded: fall back on the material's colour
        return None
    image.thumbnail((_TEXTURE_SIDE, _TEXTURE_SIDE), Image.Resampling.BOX)
    return np.asarray(image, np.float32) / 255


def _fit(vertices: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Scale to the catalogue's width, height and depth, as Sweet Home 3D shows the piece."""
    extent = np.ptp(vertices, axis=0)
    scale = np.where(extent > 1e-9 * extent.max(), size / np.maximum(extent, 1e-30), 1.0)
    return vertices * scale

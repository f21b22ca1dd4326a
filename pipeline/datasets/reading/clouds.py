"""Raw shapes as `points.npy`: clouds in text or .npy files, meshes sampled on their surface."""

import io
from hashlib import blake2b
from pathlib import Path

import numpy as np

from pipeline.datasets.reading.files import read_file
from pipeline.decoding.reasons import unreadable
from pipeline.errors import UnreadableSample

LARGEST = 1 << 28
"""Bytes of a file."""
SAMPLED = 10_000
"""Points on a mesh, as many as ModelNet40's resampled release has."""
MESHES = (".off", ".obj", ".ply", ".stl", ".glb")
TEXTS = (".txt", ".xyz", ".csv")
SUFFIXES = (".npy", *TEXTS, *MESHES)


def read_cloud(path: Path, key: str) -> dict[str, bytes]:
    """`points.npy` of a file; see `cloud`."""
    return cloud(path.name, read_file(path, LARGEST), key)


def cloud(name: str, data: bytes, key: str) -> dict[str, bytes]:
    """`points.npy` of a file's bytes, by its suffix: .npy as it is, text of coordinates, or a mesh.

    Of a mesh `SAMPLED` points are drawn, uniformly by area and by the sample's key alone.

    Raises:
        UnreadableSample: it is not what its suffix says.
    """
    suffix = Path(name).suffix.lower()
    if suffix == ".npy":
        return {"points.npy": data}
    try:
        return npy_cloud(_sampled(data, suffix, key) if suffix in MESHES else _written(data))
    except UnreadableSample:
        raise
    except Exception as error:  # whatever a parser raises over a damaged file
        raise unreadable(name, error) from None


def npy_cloud(points: np.ndarray) -> dict[str, bytes]:
    """`points.npy` of coordinates [N, 3], float32."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(points, dtype="<f4"), allow_pickle=False)
    return {"points.npy": file.getvalue()}


def _written(data: bytes) -> np.ndarray:
    """The first three columns of lines of numbers with commas or space between them."""
    line = data[: data.find(b"\n")] if b"\n" in data else data
    delimiter = "," if b"," in line else None
    return np.loadtxt(io.BytesIO(data), delimiter=delimiter, usecols=(0, 1, 2), ndmin=2)


def _sampled(data: bytes, suffix: str, key: str) -> np.ndarray:
    import trimesh  # takes half a second, which other converters need not wait for

    mesh = trimesh.load(
        io.BytesIO(data), file_type=suffix[1:], process=False, force="mesh", skip_materials=True
    )
    if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces) or not mesh.area > 0:
        raise UnreadableSample("a mesh without a surface")
    seed = int.from_bytes(blake2b(key.encode(), digest_size=8).digest())
    points, _ = trimesh.sample.sample_surface(mesh, SAMPLED, seed=seed)
    return np.asarray(points)

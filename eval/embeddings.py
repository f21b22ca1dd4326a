"""A file of embeddings: what each belongs to, which student made it, what could not be encoded.

NPZ by numpy, Parquet by pyarrow; both hold the same and are read without running any code.
"""

import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, is_zipfile

import numpy as np

from pipeline.atomic import replacing
from pipeline.errors import UserError
from pipeline.small_files import open_regular

COLUMNS = ("key", "modality", "label")
LARGE = 100_000
"""Rows from which on faiss searches, where it is installed."""
_BLOCK = 1 << 16
"""Rows that are normalised at once."""
_NOTES = ("student", "sha256", "failed")


@dataclass(frozen=True)
class Embeddings:
    """Rows, one for each sample that could be encoded."""

    vectors: np.ndarray
    """Float32 [rows, dim], as `Student.encode` gives them."""
    key: list[str]
    """Path of a file, or key of a sample."""
    modality: list[str]
    label: list[str]
    """Names of its classes; empty where it has none."""
    student: str
    """Where the student lies: an absolute path, or an address on a hub."""
    sha256: str
    """Of its tensors."""
    failed: dict[str, str] = field(default_factory=dict)
    """Path or key -> why it could not be encoded."""

    def nearest(self, query: np.ndarray, top: int) -> list[tuple[int, float]]:
        """(row, cosine) of the rows nearest to a query [dim], the nearest first; exact."""
        large = len(self.vectors) >= LARGE and importlib.util.find_spec("faiss") is not None
        search = _by_faiss if large else _by_numpy
        direction, found = _normalised(query[None]), []
        for start in range(0, len(self.vectors), _BLOCK):
            cosines, rows = search(
                _normalised(self.vectors[start : start + _BLOCK]), direction, top
            )
            found += [(-float(cosine), start + int(row)) for cosine, row in zip(cosines, rows)]
        return [(row, -negative) for negative, row in sorted(found)[:top]]


def _by_numpy(block: np.ndarray, direction: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and places of a block's nearest rows, the nearest first."""
    cosines = block @ direction[0]
    order = np.argsort(-cosines, kind="stable")[:top]
    return cosines[order], order


def _by_faiss(block: np.ndarray, direction: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """As `_by_numpy`; without an index, which takes longer to fill than one query to answer."""
    import faiss

    top = min(top, len(block))
    cosines, order = faiss.knn(direction, block, top, metric=faiss.METRIC_INNER_PRODUCT)
    return cosines[0], order[0]


def _normalised(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def check_format(path: Path) -> None:
    """Find out before the work whether a file of that name can be written.

    Raises:
        UserError: of neither format, of one that is not installed, or a folder.
        OSError: its folder cannot be made.
    """
    if path.suffix not in (".npz", ".parquet"):
        raise UserError(f"{path}: expected a file that ends in .npz or .parquet")
    if path.suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UserError(f'{path}: needs pyarrow, run: pip install -e ".[parquet]"; or take .npz')
    if path.is_dir():
        raise UserError(f"{path}: expected a file to write, found a folder")
    path.parent.mkdir(parents=True, exist_ok=True)


def write(path: Path, found: Embeddings) -> None:
    """Write the file whole or not at all."""
    notes = {name: getattr(found, name) for name in _NOTES}
    with replacing(path) as file:
        if path.suffix == ".parquet":
            _write_parquet(file, found, notes)
        else:
            columns: dict[str, Any] = {n: np.array(getattr(found, n), dtype=str) for n in COLUMNS}
            np.savez(file, vectors=found.vectors, notes=np.array(json.dumps(notes)), **columns)


def read(path: Path) -> Embeddings:
    """Read what `write` wrote.

    Raises:
        UserError: it is not there, or is something else.
    """
    try:
        with open_regular(path) as file:
            if path.suffix != ".parquet" and not is_zipfile(file):
                raise ValueError("no NPZ")
            file.seek(0)
            parts = _parquet_parts(file) if path.suffix == ".parquet" else _npz_parts(file)
        found = Embeddings(**parts)
        if found.vectors.ndim != 2 or len({len(found.vectors), *map(len, _columns(found))}) > 1:
            raise ValueError("vectors and names of different lengths")
    except (OSError, BadZipFile, ValueError, LookupError, TypeError, EOFError) as error:
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UserError(f"{path}: expected what eval.export writes ({why})") from None
    except ImportError:
        raise UserError(f'{path}: needs pyarrow, run: pip install -e ".[parquet]"') from None
    return found


def _columns(found: Embeddings) -> list[list[str]]:
    return [getattr(found, name) for name in COLUMNS]


def _npz_parts(file: IO[bytes]) -> dict[str, Any]:
    with np.load(file, allow_pickle=False) as stored:
        columns = {name: stored[name].tolist() for name in COLUMNS}
        notes = json.loads(str(stored["notes"]))
        return {"vectors": stored["vectors"].astype(np.float32), **columns, **_noted(notes)}


def _write_parquet(file: IO[bytes], found: Embeddings, notes: dict[str, Any]) -> None:
    import pyarrow
    from pyarrow import parquet

    dim = found.vectors.shape[1]
    vectors = pyarrow.FixedSizeListArray.from_arrays(found.vectors.reshape(-1), dim)
    columns = {name: pyarrow.array(getattr(found, name), pyarrow.string()) for name in COLUMNS}
    table = pyarrow.table({**columns, "embedding": vectors})
    parquet.write_table(table.replace_schema_metadata({"notes": json.dumps(notes)}), file)


def _parquet_parts(file: IO[bytes]) -> dict[str, Any]:
    from pyarrow import parquet

    table = parquet.read_table(file)
    flat = table["embedding"].combine_chunks().flatten().to_numpy()
    notes = json.loads((table.schema.metadata or {})[b"notes"])
    vectors = flat.reshape(len(table), -1).astype(np.float32)
    columns = {name: table[name].to_pylist() for name in COLUMNS}
    return {"vectors": vectors, **columns, **_noted(notes)}


def _noted(notes: Any) -> dict[str, Any]:
    return {name: notes[name] for name in _NOTES}

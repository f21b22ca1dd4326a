"""Read the Sweet Home 3D catalogues (`.sh3f`, zip files) without unpacking them to disk."""

import posixpath
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UserError

_PROPERTIES = "PluginFurnitureCatalog.properties"
_LINE = re.compile(r"(\w+)(?:#(\d+))?\s*=\s*(.*)")
_MEMBER_BYTES = 200 * 2**20  # the largest real member holds 21 MB; more is not a furniture model
_LICENCES = {
    "BlendSwap-CC-0": "CC0-1.0",
    "BlendSwap-CC-BY": "CC-BY-3.0",
    "KatorLegaz": "CC-BY-3.0-US",
    "Reallusion": "CC-BY-3.0-US",
    "Scopia": "CC-BY-3.0",
}


@dataclass(frozen=True)
class CatalogueEntry:
    """One piece of furniture as its catalogue describes it."""

    id: str
    """Unique over all catalogues, `[a-z0-9-]+`, for example `scopia-bathroom3`."""
    name: str
    category: str
    tags: tuple[str, ...]
    creator: str
    licence: str
    """SPDX identifier, from the package's copyright file."""
    source: str
    """Catalogue file and the catalogue's own id, for example `Scopia.sh3f#Scopia#bathroom3`."""
    model: str
    """Path of the OBJ file inside the catalogue."""
    rotation: np.ndarray
    """float64 [3,3]: model coordinates to the catalogue's y up, front to +z."""
    size: np.ndarray
    """float64 [3]: width (x), height (y), depth (z) in centimetres."""


class Catalogue:
    """One open `.sh3f` file: its entries, and its members by path."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise UserError(
                f"{path}: not a readable .sh3f (zip) file: {error}; fetch the package again"
            ) from error
        if path.stem not in _LICENCES:
            raise UserError(
                f"{path}: its licence is unknown; expected one of "
                f"{', '.join(sorted(_LICENCES))} (demo/catalogue.py)"
            )
        self._path = path
        self._members = {info.filename: info for info in self._zip.infolist()}

    def read(self, member: str) -> bytes:
        """Bytes of one member; `KeyError` if there is none, `UserError` if it is absurdly large."""
        info = self._members[posixpath.normpath(member).lstrip("/")]
        if info.file_size > _MEMBER_BYTES:
            raise UserError(
                f"{self._path}!{member}: {info.file_size} bytes unpacked, at most "
                f"{_MEMBER_BYTES} expected; fetch the package again"
            )
        return self._zip.read(info)

    def entries(self) -> list[CatalogueEntry]:
        """All entries, in the catalogue's order."""
        records: dict[int, dict[str, str]] = {}
        for line in _unescape(self.read(_PROPERTIES)).splitlines():
            match = _LINE.match(line.strip())
            if match and match[2]:
                records.setdefault(int(match[2]), {})[match[1]] = match[3].strip()
        return [self._entry(record) for _, record in sorted(records.items())]

    def _entry(self, record: dict[str, str]) -> CatalogueEntry:
        stem = self._path.stem
        tags = (tag.strip() for tag in record["tags"].split(","))
        return CatalogueEntry(
            id=_slug(f"{stem}-{record['id'].split('#', 1)[1]}"),
            name=record["name"],
            category=record["category"],
            tags=tuple(tag for tag in tags if tag),
            creator=record["creator"],
            licence=_LICENCES[stem],
            source=f"{self._path.name}#{record['id']}",
            model=record["model"],
            rotation=_rotation(record.get("modelRotation")),
            size=np.array([float(record[key]) for key in ("width", "height", "depth")]),
        )


def open_catalogues(folder: Path) -> dict[str, Catalogue]:
    """The catalogues of `folder` by file name."""
    return {path.name: Catalogue(path) for path in sorted(folder.glob("*.sh3f"))}


def _unescape(properties: bytes) -> str:
    r"""Java properties are Latin-1 with `\uXXXX` escapes."""
    text = properties.decode("latin-1")
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _rotation(text: str | None) -> np.ndarray:
    return np.eye(3) if text is None else np.array(text.split(), float).reshape(3, 3)

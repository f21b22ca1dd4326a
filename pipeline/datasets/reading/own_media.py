"""Media of anyone's own files as members, by the modality of their source."""

from pathlib import Path

from pipeline.config.data import Modality
from pipeline.datasets.reading import clouds, pictures
from pipeline.datasets.reading.files import read_file
from pipeline.datasets.reading.media import sound_member
from pipeline.errors import UnreadableSample

LICENCE = "your own data"
SUFFIXES: dict[Modality, tuple[str, ...]] = {
    "image": pictures.SUFFIXES,
    "audio": (".flac", ".wav", ".ogg", ".mp3", ".m4a", ".aac", ".opus"),
    "video": (".mp4", ".webm", ".mkv", ".avi"),
    "points": clouds.SUFFIXES,
    "depth": (".png",),
}
"""Modality -> endings of its files."""


def read_media(path: Path, modality: Modality, key: str) -> dict[str, bytes]:
    """The member that a file makes; `key` seeds the points on a mesh.

    Raises:
        UnreadableSample: it cannot be read, or is nothing of that modality.
    """
    return media(path.name, read_file(path), modality, key)


def media(name: str, data: bytes, modality: Modality, key: str) -> dict[str, bytes]:
    """The member that the bytes of a file make; as `read_media`."""
    if not name.lower().endswith(SUFFIXES[modality]):
        expected = " ".join(SUFFIXES[modality])
        raise UnreadableSample(f"{name}: a source of {modality} reads files ending in {expected}")
    if modality == "image":
        return pictures.picture(name, data)
    if modality == "audio":
        return sound_member(data)
    if modality == "points":
        return clouds.cloud(name, data, key)
    return {"video.mp4" if modality == "video" else "depth.png": data}


def words(classes: list[str]) -> list[str] | None:
    """What prompts call classes whose names are written for computers; None if as they are."""
    spoken = [name.replace("_", " ") for name in classes]
    return None if spoken == classes else spoken

"""Raw pictures as members: named by what their bytes are, whatever their file is called."""

from pathlib import Path

from pipeline.datasets.reading.files import read_file
from pipeline.errors import UnreadableSample

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def read_picture(path: Path) -> dict[str, bytes]:
    """`image.jpg`, `image.png` or `image.webp` of a file.

    Raises:
        UnreadableSample: it cannot be read, or is none of these.
    """
    return picture(path.name, read_file(path))


def picture(name: str, data: bytes) -> dict[str, bytes]:
    """The member that the bytes of a picture make; as `read_picture`."""
    if data.startswith(b"\xff\xd8"):
        return {"image.jpg": data}
    if data.startswith(b"\x89PNG"):
        return {"image.png": data}
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return {"image.webp": data}
    raise UnreadableSample(f"{name}: not a JPEG, PNG or WebP")

"""The pictures of the pack: Fluent 3D emoji on white, named by Unicode."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 96
_TEST_OF_TEN = 1
# Emoji of Unicode 15 and later, left out so that every Python's unicodedata gives the same pack.
_AFTER_UNICODE_14 = {
    chr(code)
    for code in (
        0x1F6DC,
        0x1FA75,
        0x1FA76,
        0x1FA77,
        0x1FA87,
        0x1FA88,
        0x1FAAD,
        0x1FAAE,
        0x1FAAF,
        0x1FABB,
        0x1FABC,
        0x1FABD,
        0x1FABF,
        0x1FACE,
        0x1FACF,
        0x1FADA,
        0x1FADB,
        0x1FAE8,
        0x1FAF7,
        0x1FAF8,
    )
}
_SKIN_TONES = {chr(code) for code in range(0x1F3FB, 0x1F400)}
_JOINERS = {"\u200d", "\ufe0f", "\u20e3"}
_REGIONAL = {chr(code) for code in range(0x1F1E6, 0x1F200)}
_TAGS = {chr(code) for code in range(0xE0000, 0xE0080)}
_PEOPLE = {"man", "woman", "adult", "male sign", "female sign", "boy", "girl", "child"}


@dataclass(frozen=True)
class Picture:
    """One picture: where it lies in the package, what it is called, and its side of the split."""

    id: str
    """Code points in hexadecimal joined by `-`, the package's file name."""
    name: str
    split: str


def list_pictures(folder: Path) -> tuple[list[Picture], dict[str, str]]:
    """The pictures to keep, sorted by id, and for each one left out the reason."""
    kept, left_out = [], {}
    taken: set[str] = set()
    for path in sorted(folder.glob("*.webp")):
        characters = [chr(int(code, 16)) for code in re.split("[-_]", path.stem)]
        try:
            parts = _parts(characters)
            if " ".join(parts) in taken:
                raise ValueError("the same character under another file name")
            taken.add(" ".join(parts))
        except ValueError as reason:
            left_out[path.stem] = str(reason)
            continue
        kept.append(Picture(path.stem, " ".join(parts), _side(parts)))
    return kept, left_out


def load_picture(folder: Path, picture: Picture) -> np.ndarray:
    """uint8 [96,96,3], on white."""
    with Image.open(folder / f"{picture.id}.webp") as image:
        rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    white.alpha_composite(rgba)
    small = white.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    return np.asarray(small)


def _parts(characters: list[str]) -> list[str]:
    """Unicode names of the characters that carry meaning; `ValueError` says why to leave it out."""
    if _SKIN_TONES & set(characters):
        raise ValueError("skin-tone variant")
    if (_REGIONAL | _TAGS) & set(characters):
        raise ValueError("national flag")
    if _AFTER_UNICODE_14 & set(characters):
        raise ValueError("newer than Unicode 14")
    names = [unicodedata.name(char) for char in characters if char not in _JOINERS]
    if sum(name.lower() in _PEOPLE for name in names) > 1 and len(names) > 2:
        raise ValueError("family or couple variant")
    return [
        name.lower().replace(" sign", "")
        if name.endswith(" SIGN") and len(names) > 1
        else name.lower()
        for name in names
    ]


def _side(parts: list[str]) -> str:
    """Variants by gender fall on one side: the hash leaves out who it is."""
    shared = [part for part in parts if part not in _PEOPLE | {"male", "female"}] or parts
    digest = hashlib.blake2b(f"picture split/{' '.join(shared)}".encode(), digest_size=8).digest()
    return "test" if int.from_bytes(digest, "little") % 10 < _TEST_OF_TEN else "train"

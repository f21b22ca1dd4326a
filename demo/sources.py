"""Fetch the public packages the embedded pack is made of, by package name, and nothing else."""

import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError

FURNITURE_PACKAGE = "sweethome3d-furniture=1.8-1"
PICTURES_PACKAGE = "@lobehub/fluent-emoji-3d@1.1.0"
SOUNDFONT_PACKAGE = "fluid-soundfont-gm=3.1-5.3"
_FURNITURE_DIR = Path("deb/usr/share/sweethome3d/furniture")
_PICTURES_DIR = Path("package/assets")
_SOUNDFONT = Path("deb/usr/share/sounds/sf2/FluidR3_GM.sf2")
_CATALOGUES = 5
_SECONDS = 600


@dataclass(frozen=True)
class RawMaterial:
    """Where the unpacked packages lie."""

    furniture: Path
    """Folder of the five `.sh3f` catalogues."""
    pictures: Path
    """Folder of `<code points>.webp`, 256 px."""
    soundfont: Path
    """General MIDI, `.sf2`."""


def locate(raw: Path) -> RawMaterial:
    """The material under `raw`; a missing part is a `UserError` that says how to fetch it."""
    found = RawMaterial(raw / _FURNITURE_DIR, raw / _PICTURES_DIR, raw / _SOUNDFONT)
    for folder, pattern, least in (
        (found.furniture, "*.sh3f", _CATALOGUES),
        (found.pictures, "*.webp", 1),
        (found.soundfont.parent, found.soundfont.name, 1),
    ):
        count = len(list(folder.glob(pattern)))
        if count < least:
            raise UserError(
                f"{folder}: expected {least} or more {pattern} files, found {count}; "
                "run `python -m demo.build_pack` without --raw to fetch the packages"
            )
    return found


def fetch(into: Path) -> RawMaterial:
    """Download the packages with the system's own clients and unpack them under `into`."""
    into.mkdir(parents=True, exist_ok=True)
    for package in (FURNITURE_PACKAGE, SOUNDFONT_PACKAGE):
        _client(["apt-get", "download", package], into)
        archive = _single(into, f"{package.partition('=')[0]}_*.deb")
        _client(["dpkg-deb", "-x", str(archive), "deb"], into)
    _client(["npm", "pack", "--silent", PICTURES_PACKAGE], into)
    with tarfile.open(_single(into, "*.tgz")) as assets:
        assets.extractall(into, filter="data")
    return locate(into)


def _client(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, timeout=_SECONDS, capture_output=True)
    except FileNotFoundError as error:
        raise UserError(
            f"{command[0]}: not installed; install it, or name a folder "
            "that holds the unpacked packages with --raw"
        ) from error
    except subprocess.SubprocessError as error:
        raise UserError(
            f"`{' '.join(command)}` failed ({type(error).__name__}); check the "
            "network, or name the unpacked packages with --raw"
        ) from error


def _single(folder: Path, pattern: str) -> Path:
    matches = sorted(folder.glob(pattern))
    if len(matches) != 1:
        raise UserError(
            f"{folder}/{pattern}: expected one file, found {len(matches)}; "
            "empty the folder and run again"
        )
    return matches[0]

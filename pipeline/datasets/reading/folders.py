"""Folders of raw files, listed in the same order on every machine."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.datasets import noted
from pipeline.errors import UserError

_LEFT_BY_SYSTEMS = (".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX")


@dataclass(frozen=True)
class Listing:
    """The files below a folder."""

    files: list[Path]
    """Sorted by their path's parts."""
    notes: tuple[str, ...]
    """What lies there too and is no such file; what an operating system left is not worth one."""


def list_files(folder: Path, suffixes: tuple[str, ...]) -> Listing:
    """Files below a folder, at any depth, whose name ends in one of `suffixes`, in any case.

    Raises:
        UserError: there is no such folder, or links in it lead back to where they are.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; is the download there and unpacked?")
    files: list[Path] = []
    others: list[Path] = []
    for path in _below(folder, frozenset()):
        (files if path.name.lower().endswith(suffixes) else others).append(path)
    order = sorted(files, key=lambda path: path.parts)
    names = sorted(path.relative_to(folder).as_posix() for path in others)
    return Listing(order, noted(f"files in {folder} end in none of {' '.join(suffixes)}", names))


def subfolders(folder: Path) -> list[str]:
    """Names of the folders right in a folder, sorted; class folders are that."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; is the download there and unpacked?")
    return sorted(e.name for e in os.scandir(folder) if e.is_dir() and not _is_left(e.name))


def _below(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    there = folder.stat()
    place = (there.st_dev, there.st_ino)
    if place in above:
        raise UserError(f"{folder}: a link to a folder above it; remove the link")
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is_left(entry.name):
                continue
            if entry.is_dir():
                yield from _below(folder / entry.name, above | {place})
            else:
                yield folder / entry.name


def _is_left(name: str) -> bool:
    return name.startswith("._") or name in _LEFT_BY_SYSTEMS

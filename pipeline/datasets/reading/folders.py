"""Folders of raw files, listed in the same order on every machine."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.datasets import noted
from pipeline.errors import UserError

_LEFT_BY_SYSTEMS = ("Thumbs.db", "desktop.ini", "__MACOSX", "@eaDir")
"""Beside what is hidden by a dot, such as .DS_Store and ._NAME."""
_DEEPEST = 3


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
    names = sorted(path.relative_to(folder).as_posix() for path in others)
    return Listing(files, noted(f"files in {folder} end in none of {' '.join(suffixes)}", names))


def subfolders(folder: Path) -> list[str]:
    """Names of the folders right in a folder, sorted; class folders are that."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; is the download there and unpacked?")
    return sorted(e.name for e in os.scandir(folder) if e.is_dir() and not is_left(e.name))


def folder_with(raw: Path, *names: str) -> Path:
    """The folder that holds one of `names`: the raw one or, since archives unpack into folders of
    their own, the only such folder down to three levels below; the raw one where none does.

    Raises:
        UserError: several do.
    """
    level = [raw]
    for _ in range(_DEEPEST + 1):
        found = [folder for folder in level if any((folder / name).exists() for name in names)]
        if len(found) > 1:
            raise UserError(
                f"{raw}: found {names[0]} in {found[0]} and in {found[1]}; remove one of them, or "
                "name the folder of one as raw"
            )
        if found:
            return found[0]
        level = [
            folder / name for folder in level if folder.is_dir() for name in subfolders(folder)
        ]
    return raw


def _below(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """Every file, in the order of their paths' parts."""
    there = folder.stat()
    place = (there.st_dev, there.st_ino)
    if place in above:
        raise UserError(f"{folder}: a link to a folder above it; remove the link")
    with os.scandir(folder) as entries:
        named = sorted(entries, key=lambda entry: entry.name)
    for entry in named:
        if is_left(entry.name):
            continue
        if entry.is_dir():
            yield from _below(folder / entry.name, above | {place})
        else:
            yield folder / entry.name


def is_left(name: str) -> bool:
    """Whether an operating system or a program left a file or folder of that name."""
    return name.startswith(".") or name in _LEFT_BY_SYSTEMS

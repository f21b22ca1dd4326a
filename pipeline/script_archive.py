"""TorchScript archives, as OpenAI gives its CLIPs out: their tensors are read, and none of their
code.
"""

import pickletools
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor
from torch.serialization import safe_globals

from pipeline.torch_file import inside, is_zip

_RECORDS = ("data.pkl", "version", "byteorder")
"""Beside the tensors' bytes those that tensors need."""


def is_script(path: Path) -> bool:
    """Whether a sound file is a TorchScript archive, as OpenAI gives its CLIPs out."""
    if not is_zip(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(inside(name) == "constants.pkl" for name in archive.namelist())


def script_tensors(path: Path) -> dict[str, Tensor]:
    """Its tensors on the CPU, under their modules' names.

    Torch reads an archive together with its code or not at all: so it gets the other records, and
    for each class that the code would define one that does nothing.
    """
    rest = BytesIO()
    classes: set[str] = set()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(rest, "w") as kept:
        for record in archive.infolist():
            name = inside(record.filename)
            if name in _RECORDS or name.startswith(("data/", ".data/")):
                content = archive.read(record)
                kept.writestr(record.filename, content)
                classes |= _classes(content) if name == "data.pkl" else set()
    rest.seek(0)
    with safe_globals([(_Part, name) for name in classes]):
        whole = torch.load(rest, map_location="cpu", weights_only=True)
    return dict(_tensors_of(whole, "", set()))


def _classes(pickled: bytes) -> set[str]:
    opcodes = pickletools.genops(pickled)
    names = {str(text).replace(" ", ".") for opcode, text, _ in opcodes if opcode.name == "GLOBAL"}
    return {name for name in names if name.startswith("__torch__.")}


def _tensors_of(part: object, prefix: str, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    if id(part) in seen or not isinstance(part, _Part):
        return
    seen.add(id(part))
    for name, value in vars(part).items():
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        yield from _tensors_of(value, f"{prefix}{name}.", seen)


class _Part:
    """Stands for any class of an archive's code: its instances hold what their pickle says."""

"""What torch's restricted unpickler refuses: how that is told, and how it is safely read.

Settings and numbers that training scripts save beside the tensors are allowed by name; arrays and
paths are converted.
"""

import argparse
import pickle
import pickletools
import re
from collections import deque
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from shlex import quote
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from pipeline.atomic import replacing
from pipeline.errors import UserError
from pipeline.script_archive import is_script, script_tensors
from pipeline.torch_file import check_container, damaged, first_line, is_zip

_UNFINISHED = object()
LEGACY_PICKLES = 5
"""What torch's format before 1.6 begins with: magic, protocol, system, object, storage keys."""


def convert(source: Path, target: Path) -> None:
    """Rewrite `source` with plain numbers, dicts and tensors only; see pipeline.weights.

    Raises:
        UserError: it is damaged, or holds more than that; or `target` cannot be written.
    """
    check_container(source)
    try:
        plain = _Plain(source.stat().st_size)(unpickled(source, _harmless_types()))
    except pickle.UnpicklingError as error:
        if not _asks_for_code(source, error):
            raise UserError(damaged(source, ValueError(_unpickler_says(error)))) from error
        raise UserError(
            f"{source}: holds more than tensors, numbers and settings ({_wants(source, error)}); "
            "ask its authors for a file of plain tensors"
        ) from error
    except Exception as error:  # what is damaged makes torch raise nearly anything
        raise UserError(damaged(source, error)) from error
    try:
        with replacing(target) as file:
            torch.save(plain, file)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"{target}: cannot be written ({first_line(error)}); name another place"
        ) from None


def settings_types() -> list[Any]:
    """What published checkpoints hold beside tensors: an `argparse.Namespace`, numpy's numbers."""
    dtypes = [type(np.dtype(code)) for code in "?bBhHiIlLqQefd"]
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
    # numpy 1 pickles call numpy._core by its former name
    renamed = (scalar, "numpy.core.multiarray.scalar")
    return [argparse.Namespace, np.dtype, scalar, *dtypes, renamed]


def _harmless_types() -> list[Any]:
    rebuild = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    arrays = [np.ndarray, rebuild, (rebuild, "numpy.core.multiarray._reconstruct")]
    paths = [  # of whatever system and Python: from 3.13 on they are defined in _local
        (text, f"{module}.{prefix}{name}")
        for module in ("pathlib", "pathlib._local")
        for prefix in ("", "Pure")
        for name, text in (
            ("Path", _posix_text),
            ("PosixPath", _posix_text),
            ("WindowsPath", _windows_text),
        )
    ]
    return [*settings_types(), *arrays, *paths]


def _posix_text(*parts: str) -> str:
    """Stands in a pickle for the path, which only its own system could make."""
    return str(PurePosixPath(*parts))


def _windows_text(*parts: str) -> str:
    return str(PureWindowsPath(*parts))


class _Plain:
    """Makes plain values of unpickled ones, what is shared once and shared again.

    A pickle of a few bytes can refer to itself without end, and name an array that it does not
    hold: arrays and texts may have `room` bytes in all, those of the file.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._done: dict[int, Any] = {}
        self._storages: set[int] = set()

    def __call__(self, value: Any) -> Any:
        if id(value) not in self._done:
            self._done[id(value)] = _UNFINISHED
            self._done[id(value)] = self._made(value)
        if self._done[id(value)] is _UNFINISHED:
            raise ValueError("it holds itself")
        return self._done[id(value)]

    def _made(self, value: Any) -> Any:
        if isinstance(value, argparse.Namespace):
            return self(vars(value))
        if isinstance(value, Mapping):
            return {key: self(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)([self(item) for item in value])
        self._take(value)
        if isinstance(value, np.ndarray):
            return torch.from_numpy(value)
        return value.item() if isinstance(value, np.generic) else value

    def _take(self, value: Any) -> None:
        if isinstance(value, Tensor):
            storage = value.untyped_storage()
            new = storage.data_ptr() not in self._storages
            self._storages.add(storage.data_ptr())
            self._room -= storage.nbytes() if new else 0
        elif isinstance(value, np.ndarray):
            self._room -= value.nbytes
        elif isinstance(value, str | bytes | bytearray):
            self._room -= len(value)
        if self._room < 0:
            raise ValueError("its values take more bytes than it has")


def unpickled(path: Path, allowed: list[Any]) -> Any:
    """What a file's pickle holds on the CPU, made of tensors, plain values and the `allowed` types.

    Of a TorchScript archive these are its tensors under their modules' names.
    """
    if is_script(path):
        return script_tensors(path)
    with safe_globals(allowed):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip(path))


def refused(path: Path, error: Exception) -> str:
    """Say in one line what the pickle in `path` asks for, and the command that converts it."""
    if not _asks_for_code(path, error):
        return damaged(path, ValueError(_unpickler_says(error)))
    return (
        f"{path}: holds more than tensors ({_wants(path, error)}) and is not loaded as it is; "
        f"convert it safely: python -m pipeline.weights convert {quote(str(path))} "
        f"{quote(f'{path.stem}.plain.pt')}"
    )


def _wants(path: Path, error: Exception) -> str:
    try:
        with safe_globals(settings_types()):
            names = get_unsafe_globals_in_checkpoint(path)
    except ValueError:  # torch lists them for zip-format files only
        names = []
    return ", ".join(sorted(names)) or _unpickler_says(error)


def _asks_for_code(path: Path, error: Exception) -> bool:
    return "unsupported global" in str(error).lower() and not _is_cut_short(path)


def _is_cut_short(path: Path) -> bool:
    # a name cut in two looks like a wish for code; pickletools reads opcodes without running them
    if is_zip(path):
        return False
    with path.open("rb") as file:
        try:
            for _ in range(LEGACY_PICKLES):
                if not file.peek(1):
                    break
                deque(pickletools.genops(file), maxlen=0)
        except ValueError:
            return True
    return False


def _unpickler_says(error: Exception) -> str:
    # torch puts its cause in the middle of a page of advice
    cause = re.search(
        r"(?:WeightsUnpickler error:\s+(?:Unsupported global: GLOBAL )?|unsupported GLOBAL )"
        r"(\S.*?) ?(?:was not|whose module|$)",
        str(error),
        re.M,
    )
    return cause.group(1) if cause else "no pickle of tensors"

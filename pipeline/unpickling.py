"""What torch's restricted unpickler refuses: how that is told, and how it is safely converted."""

import argparse
import pickle
import pickletools
import re
import zipfile
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from pipeline.atomic import replacing
from pipeline.errors import UserError

LEGACY_PICKLES = 5
"""What torch's format before 1.6 begins with: magic, protocol, system, object, storage keys."""


def convert(source: Path, target: Path) -> None:
    """Rewrite `source` with plain numbers, dicts and tensors only; see pipeline.weights."""
    try:
        with safe_globals(_harmless_types()):
            checkpoint = torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{source}: holds more than tensors, numbers and settings ({_wants(source, error)}); "
            "ask its authors for a file of plain tensors"
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise UserError(damaged(source, error)) from error
    with replacing(target) as file:
        torch.save(_plain(checkpoint), file)


def _harmless_types() -> list[Any]:
    dtypes = [type(np.dtype(code)) for code in "?bBhHiIlLqQefd"]
    scalar, rebuild = np._core.multiarray.scalar, np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    renamed = [  # numpy 1 pickles call numpy._core by its former name
        (scalar, "numpy.core.multiarray.scalar"),
        (rebuild, "numpy.core.multiarray._reconstruct"),
    ]
    return [argparse.Namespace, np.dtype, np.ndarray, scalar, rebuild, *dtypes, *renamed]


def _plain(value: Any) -> Any:
    if isinstance(value, argparse.Namespace):
        return _plain(vars(value))
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    return value.item() if isinstance(value, np.generic) else value


def refused(path: Path, error: Exception) -> str:
    """Say in one line what the pickle in `path` asks for, and the command that converts it."""
    if "Unsupported global" not in str(error) or _is_cut_short(path):
        return damaged(path, ValueError(_unpickler_says(error)))
    return (
        f"{path}: holds more than tensors ({_wants(path, error)}) and is not loaded as it is; "
        f"convert it safely: python -m pipeline.weights convert {path} {path.stem}.plain.pt"
    )


def _wants(path: Path, error: Exception) -> str:
    try:
        names = get_unsafe_globals_in_checkpoint(path)
    except ValueError:  # torch lists them for zip-format files only
        names = []
    return ", ".join(sorted(names)) or _unpickler_says(error)


def _is_cut_short(path: Path) -> bool:
    # a name cut in two looks like a wish for code; pickletools reads opcodes without running them
    if zipfile.is_zipfile(path):
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
        r"WeightsUnpickler error: (?:Unsupported global: GLOBAL )?(\S.*?) ?(?:was not|$)",
        str(error),
        re.M,
    )
    return cause.group(1) if cause else first_line(error)


def damaged(path: Path, error: Exception) -> str:
    """Say in one line that `path` is no complete weights file."""
    size = path.stat().st_size if path.is_file() else 0
    return (
        f"{path}: expected a complete weights file, found a truncated or foreign one of {size} "
        f"bytes ({first_line(error)}); download it again"
    )


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]

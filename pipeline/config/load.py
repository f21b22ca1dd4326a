"""Reads a params file strictly: unknown keys, wrong types and bad values are refused by name."""

import dataclasses
import difflib
import math
import re
import sys
import typing
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from pipeline.commands import use_params_file
from pipeline.config.params import Params
from pipeline.config.yaml_document import LARGEST, parse_yaml
from pipeline.errors import UserError
from pipeline.small_files import read_small

_NO_NAME = re.compile("[\x00\ud800-\udfff]")
_RENAMED = (("train", "loader_threads", "loader_workers"),)
"""(section, former name, present name)."""
_MEND = "name a params file with --params FILE"


def load_params(path: str | Path = "params.yaml") -> Params:
    """Read `path` (YAML 1.2, so that `2e-4` is a number) into `Params`.

    Raises:
        UserError: missing file, broken YAML, unknown key (with the nearest valid one), wrong type.
    """
    path = Path(path)
    try:
        raw = parse_yaml(read_small(path, _MEND, LARGEST).decode())
    except FileNotFoundError:
        raise UserError(f"{path}: no such params file; {_MEND}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text in UTF-8 ({error}); {_MEND}") from None
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    _rename(path, raw)
    for problem in chain(_unusable(raw, ""), _undeclared(Params, raw, "")):
        raise UserError(f"{path}: {problem}")
    try:
        params = msgspec.convert(raw, Params)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error}") from None
    use_params_file(str(path))
    return params


def _rename(path: Path, raw: Any) -> None:
    """Take settings of earlier releases under their present names, and say so."""
    for section, former, present in _RENAMED:
        settings = raw.get(section) if isinstance(raw, dict) else None
        if isinstance(settings, dict) and former in settings and present not in settings:
            settings[present] = settings.pop(former)
            print(f"{path}: {section}.{former} is now {section}.{present}", file=sys.stderr)


def _undeclared(declared: Any, value: Any, where: str) -> Iterator[str]:
    """Walk `value` beside its declared type and name every key that no dataclass field has, and
    every word that is none of a field's choices."""
    declared = _dataclass_alternative(declared)
    if dataclasses.is_dataclass(declared) and isinstance(value, Mapping):
        hints = typing.get_type_hints(declared)
        for key, child in value.items():
            if key not in hints:
                near = difflib.get_close_matches(str(key), hints, n=1, cutoff=0.0)[0]
                yield f"unknown key '{where}{key}'; the nearest valid key is '{where}{near}'"
            else:
                yield from _undeclared(hints[key], child, f"{where}{key}.")
    elif typing.get_origin(declared) is dict and isinstance(value, Mapping):
        for key, child in value.items():
            yield from _undeclared(typing.get_args(declared)[1], child, f"{where}{key}.")
    elif typing.get_origin(declared) is typing.Literal and value not in typing.get_args(declared):
        choices = ", ".join(map(str, typing.get_args(declared)))
        yield f"'{where.rstrip('.')}' is {value!r}; expected one of {choices}"


def _unusable(value: Any, where: str) -> Iterator[str]:
    """Name every .nan and .inf, which no bound that a setting is checked against would catch,
    every integer that no array could hold, and every text that no file name could."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            if not isinstance(key, str):
                yield f"'{where}' has a key that is no text"
            else:
                yield from _unusable(child, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for place, child in enumerate(value):
            yield from _unusable(child, f"{where}[{place}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"'{where}' is {value}; expected a finite number"
    elif isinstance(value, int) and value.bit_length() > 63:
        yield f"'{where}' has {value.bit_length()} bits; expected an integer of 64 or less"
    elif isinstance(value, str) and _NO_NAME.search(value):
        yield f"'{where}' is {value!r}; expected text without such characters"


def _dataclass_alternative(declared: Any) -> Any:
    """The dataclass in `SomeConfig | None`, otherwise `declared` itself."""
    options = [arg for arg in typing.get_args(declared) if dataclasses.is_dataclass(arg)]
    return options[0] if options and typing.get_origin(declared) is not dict else declared

"""Reads a params file strictly: unknown keys, wrong types and bad values are refused by name."""

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml import YAML, YAMLError

from pipeline.commands import use_params_file
from pipeline.config.params import Params
from pipeline.errors import UserError


def load_params(path: str | Path = "params.yaml") -> Params:
    """Read `path` (YAML 1.2, so that `2e-4` is a number) into `Params`.

    Raises:
        UserError: missing file, broken YAML, unknown key (with the nearest valid one), wrong type.
    """
    path = Path(path)
    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such params file; name one with --params FILE") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable text file ({error})") from None
    except (YAMLError, RecursionError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    for problem in chain(_undeclared(Params, raw, ""), _not_finite(raw, "")):
        raise UserError(f"{path}: {problem}")
    try:
        params = msgspec.convert(raw, Params)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error}") from None
    use_params_file(str(path))
    return params


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


def _not_finite(value: Any, where: str) -> Iterator[str]:
    """Name every .nan and .inf: no bound that a setting is checked against would catch them."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _not_finite(child, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for place, child in enumerate(value):
            yield from _not_finite(child, f"{where}[{place}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"'{where}' is {value}; expected a finite number"


def _dataclass_alternative(declared: Any) -> Any:
    """The dataclass in `SomeConfig | None`, otherwise `declared` itself."""
    options = [arg for arg in typing.get_args(declared) if dataclasses.is_dataclass(arg)]
    return options[0] if options and typing.get_origin(declared) is not dict else declared

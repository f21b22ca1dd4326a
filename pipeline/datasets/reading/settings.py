"""A converter's own settings, from `settings` of its source.

One that has some declares them as its dataclass `Settings`, and its `read(raw, split, source)` is
given the source too.
"""

import dataclasses
from typing import TypeVar

import msgspec

from pipeline.config import SourceConfig
from pipeline.errors import UserError
from pipeline.unknown_name import unknown_name

Declared = TypeVar("Declared")


def settings_of(source: SourceConfig, declared: type[Declared]) -> Declared:
    """The settings as the converter declares them.

    Raises:
        UserError: one that it does not have, with the nearest that it has, or of another type.
    """
    names = [field.name for field in dataclasses.fields(declared)]  # type: ignore[arg-type]
    for name in source.settings:
        if name not in names:
            raise unknown_name(f"setting of converter '{source.converter}'", name, names)
    try:
        return msgspec.convert(source.settings, declared)
    except msgspec.ValidationError as error:
        raise UserError(f"settings of converter '{source.converter}': {error}") from None

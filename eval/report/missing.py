"""A part of the page that the run has nothing for: why, in place of what would stand there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pipeline.errors import UserError

Part = TypeVar("Part")


@dataclass(frozen=True)
class Missing:
    """What cannot be shown."""

    why: str
    """One line: the file, and the command that makes it."""


def found(make: Callable[[], Part]) -> Part | Missing:
    """The part, or why there is none: one stage that did not run hides none of the others."""
    try:
        return make()
    except UserError as error:
        return Missing(str(error))

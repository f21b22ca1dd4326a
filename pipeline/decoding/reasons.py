"""Why a member is refused, in one line however long a hostile one makes it."""

import re

from pipeline.errors import UnreadableSample

LONGEST = 200
"""Characters."""


def unreadable(what: str, error: Exception) -> UnreadableSample:
    """A library's error over a damaged member."""
    return UnreadableSample(f"{what}: {one_line(str(error)) or type(error).__name__}")


def one_line(text: str) -> str:
    """Text without line breaks and addresses, cut where it is longer than anyone reads."""
    line = re.sub(r" at 0x[0-9a-f]+", "", " ".join(text.split()))
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."

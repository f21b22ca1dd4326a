"""The error for a name that is not in a table."""

from bisect import bisect
from collections.abc import Iterable
from difflib import get_close_matches

from pipeline.errors import UserError

LISTED = 12
COMPARED = 1000
"""Of more names only the neighbours in the alphabet are compared: each takes some 50 us."""


def unknown_name(
    kind: str, name: str, known: Iterable[str], listed: str | None = None
) -> UserError:
    """Return the error to raise for `name`, with its nearest neighbour and a list of `known`, or
    what is `listed` in its place."""
    names = sorted(known)
    first = max(0, bisect(names, name) - COMPARED // 2)
    near = get_close_matches(name, names[first : first + COMPARED], n=1, cutoff=0.0)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    shown = ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
    known_ones = listed or f"known: {shown or 'none'}"
    return UserError(f"unknown {kind} '{name}'{hint} ({known_ones})")

"""The error for a name that is not in a table."""

from collections.abc import Iterable
from difflib import get_close_matches

from pipeline.errors import UserError

LISTED = 12


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Return the error to raise for `name`, with its nearest neighbour and a list of `known`."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.0)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    shown = ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
    return UserError(f"unknown {kind} '{name}'{hint} (known: {shown or 'none'})")

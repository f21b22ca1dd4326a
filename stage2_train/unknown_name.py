"""The error for a name that is not in a table."""

import difflib
from collections.abc import Iterable

from pipeline.errors import UserError


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error to raise for `name`, with its nearest neighbour among `known` and all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return UserError(f"unknown {kind} '{name}'{hint} (known: {', '.join(names) or 'none'})")

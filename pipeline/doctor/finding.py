"""What was found of one thing that a recipe needs, and the tables of all."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from rich.table import Table
from rich.text import Text

State = Literal["there", "to make", "optional", "missing", "wrong"]
COLOURS: dict[State, str] = {
    "there": "green", "to make": "blue", "optional": "", "missing": "red", "wrong": "bold red",
}  # fmt: skip
FAULTS: tuple[State, ...] = ("missing", "wrong")
"""What only the person at the keyboard can mend; `dvc repro` makes what is to make."""

NAMES, STATES = 24, max(map(len, COLOURS))
"""Widths of columns, the same in every table."""


@dataclass(frozen=True)
class Finding:
    """One thing."""

    kind: str
    """recipe, dataset, shards, store, teacher, tool or disk."""
    name: str
    state: State
    text: str
    """What is there; of what is not, where to get it; of what is wrong, what was expected."""


def worst(states: Iterable[State]) -> State:
    """The state of something that is as good as its worst part."""
    return max(states, key=list(COLOURS).index, default="there")


def tables(findings: Sequence[Finding]) -> Iterator[Table]:
    """One of each kind."""
    for kind, found in groupby(findings, key=lambda each: each.kind):
        drawn = Table(expand=True)
        drawn.add_column(kind, overflow="fold", width=NAMES)
        drawn.add_column("state", width=STATES)
        drawn.add_column("", overflow="fold")
        for each in found:
            state = Text(each.state, COLOURS[each.state])
            drawn.add_row(Text(each.name), state, Text(each.text))
        yield drawn


def summary(findings: Sequence[Finding]) -> str:
    """How many are in which state."""
    counts = Counter(each.state for each in findings)
    return ", ".join(f"{counts[state]} {state}" for state in COLOURS if counts[state])

"""What was found of one thing that a recipe needs, and the table of all."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table
from rich.text import Text

State = Literal["there", "to make", "optional", "missing", "wrong"]
COLOURS: dict[State, str] = {
    "there": "green", "to make": "blue", "optional": "", "missing": "red", "wrong": "bold red",
}  # fmt: skip
FAULTS: tuple[State, ...] = ("missing", "wrong")
"""What only the person at the keyboard can mend; `dvc repro` makes what is to make."""


@dataclass(frozen=True)
class Finding:
    """One thing."""

    kind: str
    """dataset, shards, store, teacher, tool or disk."""
    name: str
    state: State
    text: str
    """What is there; of what is not, where to get it; of what is wrong, what was expected."""


def worst(states: Iterable[State]) -> State:
    """The state of something that is as good as its worst part."""
    return max(states, key=list(COLOURS).index, default="there")


def table(findings: Sequence[Finding]) -> Table:
    """All of them, kind by kind."""
    drawn = Table()
    drawn.add_column("", overflow="fold")
    drawn.add_column("state", no_wrap=True)
    drawn.add_column("found", overflow="fold")
    kind = ""
    for each in findings:
        if each.kind != kind:
            drawn.add_section()
        kind = each.kind
        state = Text(each.state, COLOURS[each.state])
        drawn.add_row(Text(f"{each.kind} {each.name}"), state, Text(each.text))
    return drawn


def summary(findings: Sequence[Finding]) -> str:
    """How many are in which state."""
    counts = Counter(each.state for each in findings)
    return ", ".join(f"{counts[state]} {state}" for state in COLOURS if counts[state])

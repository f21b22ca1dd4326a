"""A YAML document, bounded before it is built: aliases and merge keys unfold without end."""

from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

LARGEST = 1 << 19
"""Bytes of a document."""
MOST_NODES = 50_000
"""Of a document with every alias written out; 100 characters count as a node too."""
DEEPEST = 32
"""Collections within each other; the parser takes longer with each."""


def parse_yaml(text: str) -> Any:
    """What a document of YAML 1.2 says, in plain Python values.

    Raises:
        ValueError: it is not valid, unfolds to too much, or has tags; one line says which.
    """
    try:
        _check_size(text)
        return _yaml().load(text)
    except (YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise ValueError(f"not valid YAML: {' '.join(str(error).split())}") from None


def _check_size(text: str) -> None:
    """Count nodes as they are parsed, an alias as what it stands for."""
    nodes, sizes = 0, dict[str, int]()
    begun: list[tuple[str | None, int]] = []
    for event in _yaml().parse(text):
        if isinstance(event, AliasEvent):
            if event.anchor not in sizes:
                raise ValueError(f"*{event.anchor} stands for nothing that ends before it")
            nodes += sizes[event.anchor]
        elif isinstance(event, ScalarEvent | CollectionStartEvent):
            if event.tag:
                raise ValueError(f"a value with the tag {event.tag}; plain values have none")
            if event.anchor in sizes:
                raise ValueError(f"&{event.anchor} stands for two values")
            begun.append((event.anchor, nodes))
            nodes += 1 + len(getattr(event, "value", "")) // 100
        if isinstance(event, ScalarEvent | CollectionEndEvent):
            anchor, before = begun.pop()
            if anchor is not None:
                sizes[anchor] = nodes - before
        if nodes > MOST_NODES or len(begun) > DEEPEST:
            raise ValueError(
                f"expected at most {MOST_NODES:,} values, aliases written out, and {DEEPEST} "
                "within each other, found more"
            )


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)

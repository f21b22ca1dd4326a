"""`meta.json` and `text.json` of a raw sample, and labels by name."""

import json
from collections.abc import Sequence
from typing import Any

from pipeline.errors import UnreadableSample
from pipeline.unknown_name import unknown_name


def described(
    identifier: str, labels: Sequence[int] = (), captions: Sequence[str] = (), **more: Any
) -> dict[str, bytes]:
    """The two members; `more` goes into meta.json, beside the id and the labels."""
    members = {"meta.json": json.dumps({"id": identifier, "labels": list(labels), **more}).encode()}
    if captions:
        members["text.json"] = json.dumps({"captions": list(captions)}).encode()
    return members


class Labels:
    """Class names and the number of each, in the dataset's order."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._numbers = {name: number for number, name in enumerate(classes)}

    def number(self, name: str) -> int:
        """Index of a class.

        Raises:
            UnreadableSample: it is none of them; the nearest is named.
        """
        if name not in self._numbers:
            raise UnreadableSample(str(unknown_name("class", name, self._numbers)))
        return self._numbers[name]

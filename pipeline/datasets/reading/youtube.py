"""Clips of YouTube videos, found below a folder by the names that download scripts give them.

Recognised are ID, ID_START, ID_START_END and ID_START-END, each also with a Y before it, and id_ID,
at any depth. ID has 11 characters and may begin with - or _; START and END are seconds (30, 000030
or 30.000), with END also milliseconds (30000_40000). Keys have the Y always, as no key may begin
with __.
"""

import re
from pathlib import Path

from pipeline.datasets import noted
from pipeline.datasets.reading.folders import list_files
from pipeline.errors import UnreadableSample, UserError
from pipeline.samples import decode_member

_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_NAME = re.compile(
    rf"(?:Y|id_(?=.{{11}}\Z))?([\w-]{{11}})(?:_({_NUMBER})(?:[_-]({_NUMBER}))?)?", re.ASCII
)
LONGEST = 15
"""Seconds of what passes for a clip of ten."""
_SHORTEST_IN_MILLISECONDS = 1000
"""A clip of so many seconds or more is one of milliseconds."""


def clip_name(stem: str) -> tuple[str, int | None] | None:
    """YouTube id and first second of a clip by its file's name; None of any other name."""
    found = _NAME.fullmatch(stem)
    if found is None:
        return None
    identifier, start, end = found.groups()
    if start is None:
        return identifier, None
    in_milliseconds = end is not None and float(end) - float(start) >= _SHORTEST_IN_MILLISECONDS
    return identifier, int(float(start) / (1000 if in_milliseconds else 1))


def second(table: Path, text: str) -> int:
    """The second, before any fraction, that a table gives for the start of a clip.

    Raises:
        UserError: it gives something else.
    """
    if not re.fullmatch(_NUMBER, text, re.ASCII):
        raise UserError(
            f"{table}: expected the second that a clip starts at, found {text!r}; put the "
            "dataset's own file there"
        )
    return int(float(text))


def clip_key(identifier: str, start: int | None = None) -> str:
    """Key of a sample: `Y<id>` or `Y<id>_<second, 6 digits>`."""
    return f"Y{identifier}" if start is None else f"Y{identifier}_{start:06d}"


def ten_seconds(members: dict[str, bytes]) -> dict[str, bytes]:
    """The members of a clip, unless its sound is that of the whole video.

    Raises:
        UnreadableSample: it is, or it is unreadable.
    """
    recording = decode_member(members, "audio")
    seconds = recording.count / recording.rate
    if seconds > LONGEST:
        raise UnreadableSample(
            f"audio: {seconds:.0f} s where a clip of ten is expected; cut it out of its video"
        )
    return members


class ClipFiles:
    """The clips below a folder."""

    def __init__(self, folder: Path, suffixes: tuple[str, ...]) -> None:
        """Of a clip that lies there several times the first of `suffixes` counts.

        Raises:
            UserError: there is no such folder.
        """
        self._files: dict[tuple[str, int | None], Path] = {}
        twice: list[str] = []
        ranks = {suffix: rank for rank, suffix in enumerate(suffixes)}
        files = list_files(folder, suffixes).files
        for path in sorted(files, key=lambda path: ranks[path.suffix.lower()]):
            name = clip_name(path.stem)
            if name and self._files.setdefault(name, path) is not path:
                twice.append(path.name)
        self.notes = noted("files are other copies of a clip and left out", twice)

    def find(self, identifier: str, start: int) -> Path | None:
        """The clip from that second on, or one whose name says no second; None of neither."""
        return self._files.get((identifier, start)) or self._files.get((identifier, None))

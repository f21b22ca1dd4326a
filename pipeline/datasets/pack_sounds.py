"""Sounds of the embedded pack: a clip of one note, its class and captions each."""

from functools import partial
from pathlib import Path
from typing import Any

from pipeline.datasets import RawDataset, RawItem
from pipeline.datasets.reading.pack import LICENCE, PackZip, classes, described, records


def read(raw: Path, split: str) -> RawDataset:
    """List a split; every clip has a class."""
    names = classes(raw, "sounds")
    clips = PackZip(raw / "sounds.zip")

    def members(record: dict[str, Any]) -> dict[str, bytes]:
        return {"audio.ogg": clips.read(f"{record['id']}.ogg"), **described(record, names)}

    items = [RawItem(line["id"], partial(members, line)) for line in records(raw, "sounds", split)]
    return RawDataset(items, names, ("audio",), LICENCE)

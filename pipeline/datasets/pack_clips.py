"""Turntable clips of the embedded pack's objects; those without a class have none."""

from functools import partial
from pathlib import Path
from typing import Any

from pipeline.datasets import RawDataset, RawItem
from pipeline.datasets.reading.pack import LICENCE, PackZip, classes, described, records


def read(raw: Path, split: str) -> RawDataset:
    """List a split; a sample is one turn around one object."""
    names = classes(raw, "objects")
    clips = PackZip(raw / "clips.zip")

    def members(record: dict[str, Any]) -> dict[str, bytes]:
        return {"video.mp4": clips.read(f"{record['id']}.mp4"), **described(record, names)}

    labelled = [line for line in records(raw, "objects", split) if line.get("class")]
    items = [RawItem(line["id"], partial(members, line)) for line in labelled]
    return RawDataset(items, names, ("video",), LICENCE)

"""Objects of the embedded pack: a cloud, one paired render and captions each."""

from functools import partial
from pathlib import Path
from typing import Any

from pipeline.datasets import RawDataset, RawItem
from pipeline.datasets.reading.pack import LICENCE, PackZip, classes, described, records

PAIRED_CAMERA = "front"


def read(raw: Path, split: str) -> RawDataset:
    """List a split; objects without a class have captions only."""
    names = classes(raw, "objects")
    clouds, renders = PackZip(raw / "points.zip"), PackZip(raw / "renders.zip")

    def members(record: dict[str, Any]) -> dict[str, bytes]:
        return {
            "points.npy": clouds.read(f"{record['id']}.npy"),
            "image.webp": renders.read(f"{record['id']}/{PAIRED_CAMERA}.webp"),
            **described(record, names),
        }

    items = [RawItem(line["id"], partial(members, line)) for line in records(raw, "objects", split)]
    return RawDataset(items, names, ("points", "image"), LICENCE)

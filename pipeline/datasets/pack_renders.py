"""Renders of the embedded pack's objects from every camera, as an image dataset."""

from functools import partial
from pathlib import Path
from typing import Any

from pipeline.datasets import RawDataset, RawItem
from pipeline.datasets.reading.pack import LICENCE, PackZip, classes, described, records

CAMERAS = ("front", "right", "back", "left")


def read(raw: Path, split: str) -> RawDataset:
    """List a split; a sample is one object under one camera."""
    names = classes(raw, "objects")
    renders = PackZip(raw / "renders.zip")

    def members(record: dict[str, Any], camera: str) -> dict[str, bytes]:
        image = renders.read(f"{record['id']}/{camera}.webp")
        return {"image.webp": image, **described(record, names)}

    items = [
        RawItem(f"{line['id']}-{camera}", partial(members, line, camera))
        for line in records(raw, "objects", split)
        for camera in CAMERAS
    ]
    return RawDataset(items, names, ("image",), LICENCE)

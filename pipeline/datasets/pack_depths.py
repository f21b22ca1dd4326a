"""Depth maps of the embedded pack's objects, each paired with the render in the same frame."""

from functools import partial
from pathlib import Path
from typing import Any

from pipeline.datasets import RawDataset, RawItem
from pipeline.datasets.reading.pack import LICENCE, PackZip, classes, described, read_lines, records
from pipeline.errors import UnreadableSample

CAMERAS = ("front", "left")
_SENSOR = ("encoding", "baseline", "fx")


def read(raw: Path, split: str) -> RawDataset:
    """List a split; a sample is one object under one camera."""
    names, sensors = classes(raw, "objects"), read_sensors(raw)
    depths, renders = PackZip(raw / "depths.zip"), PackZip(raw / "renders.zip")

    def members(record: dict[str, Any], camera: str) -> dict[str, bytes]:
        place = f"{record['id']}/{camera}"
        if place not in sensors:
            raise UnreadableSample(f"{place}: not in depths.jsonl")
        return {
            "depth.png": depths.read(f"{place}.png"),
            "image.webp": renders.read(f"{place}.webp"),
            **described(record, names, depth=sensors[place]),
        }

    items = [
        RawItem(f"{line['id']}-{camera}", partial(members, line, camera))
        for line in records(raw, "objects", split)
        for camera in CAMERAS
    ]
    return RawDataset(items, names, ("depth", "image"), LICENCE)


def read_sensors(raw: Path) -> dict[str, dict[str, Any]]:
    """`depth` of meta.json by `<id>/<camera>`: the zoom differs from map to map."""
    lines = read_lines(raw, "depths", ("id", "camera", *_SENSOR))
    return {
        f"{line['id']}/{line['camera']}": {name: line[name] for name in _SENSOR} for line in lines
    }

"""Items of SUN RGB-D: a folder each, as `pipeline.datasets.sunrgbd` tells."""

import math
from pathlib import Path
from typing import Any

from pipeline.datasets.reading.files import read_file
from pipeline.datasets.reading.folders import list_files
from pipeline.datasets.reading.pictures import SUFFIXES, read_picture
from pipeline.errors import UnreadableSample, UserError

BASELINES = {"kv1": 0.075, "kv2": 0.075, "realsense": 0.095, "xtion": 0.095}
"""Metres, by the folder of the sensor (ViT-Lens, issue #9)."""
_SMALL = 1 << 16


def scene_of(folder: Path) -> str | None:
    """What scene.txt says, `living_room`; None where it cannot be read."""
    try:
        return read_file(folder / "scene.txt", _SMALL).decode("utf-8-sig").strip()
    except (UnreadableSample, UnicodeDecodeError):
        return None


def depth_and_image(folder: Path) -> dict[str, bytes]:
    """The filled depth map and the picture, as they are stored.

    Raises:
        UnreadableSample: there is not one of each.
    """
    depth = read_file(_only(folder / "depth_bfx", (".png",)))
    return {"depth.png": depth, **read_picture(_only(folder / "image", SUFFIXES))}


def sensor_of(folder: Path, kind: str) -> dict[str, Any]:
    """`depth` of meta.json, of an item of a kind of sensor.

    Raises:
        UnreadableSample: intrinsics.txt does not begin with a focal length.
    """
    text = read_file(folder / "intrinsics.txt", _SMALL).split()
    try:
        fx = float(text[0])
    except (IndexError, ValueError):
        fx = math.nan
    if not fx > 0:
        raise UnreadableSample("intrinsics.txt: expected a focal length as its first number")
    return {"encoding": "sunrgbd-raw", "baseline": BASELINES[kind], "fx": fx}


def _only(folder: Path, suffixes: tuple[str, ...]) -> Path:
    try:
        files = list_files(folder, suffixes).files
    except UserError:
        files = []
    if len(files) != 1:
        raise UnreadableSample(f"{folder.name}: expected one file, found {len(files)}")
    return files[0]

"""SUN RGB-D (rgbd.cs.princeton.edu; for research, each part by its own authors' terms).

    SUNRGBD/{kv1,kv2,realsense,xtion}/.../ITEM/{image/*.jpg, depth_bfx/*.png}
    SUNRGBD/.../ITEM/{intrinsics.txt, scene.txt}
    SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat        `alltrain`, `alltest`: the items' folders

5,285 and 5,050 items (Song et al., CVPR 2015). `test` has those of the benchmark's 19 scenes, which
are 4,659. `train` has all but the 152 whose scene is `idk`, 5,133: a scene that is none of the 19
is their caption. Depth is stored as the file has it, millimetres rotated left by 3 bits, which is
what ViT-Lens reads; fx is the first number of intrinsics.txt, the baseline that of the sensor.
"""

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets import RawDataset, RawItem, key_of, known_split, noted
from pipeline.datasets.reading.files import read_file
from pipeline.datasets.reading.folders import folder_with, list_files
from pipeline.datasets.reading.labels import described
from pipeline.datasets.reading.lists import listed_once
from pipeline.datasets.reading.matlab import read_mat
from pipeline.datasets.reading.pictures import SUFFIXES, read_picture
from pipeline.errors import UnreadableSample, UserError

LICENCE = "SUN RGB-D: research use"
HOME = "rgbd.cs.princeton.edu: SUNRGBD.zip and SUNRGBDtoolbox.zip"
SIZE = "about 7 GB"
EXPECTED = {"train": 5133, "test": 4659}
SCENES = [
    "bathroom", "bedroom", "classroom", "computer_room", "conference_room", "corridor",
    "dining_area", "dining_room", "discussion_area", "furniture_store", "home_office",
    "kitchen", "lab", "lecture_theatre", "library", "living_room", "office", "rest_space",
    "study_space",
]  # fmt: skip
"""Those with at least 80 items, as scene.txt spells them."""
BASELINES = {"kv1": 0.075, "kv2": 0.075, "realsense": 0.095, "xtion": 0.095}
"""Metres, by the folder of the sensor (ViT-Lens, issue #9)."""
_LISTS = "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
_UNKNOWN = "idk"
_SMALL = 1 << 16


def read(raw: Path, split: str) -> RawDataset:
    """List a split."""
    variable = f"all{known_split(split, *EXPECTED)}"
    mat = folder_with(raw, _LISTS) / _LISTS
    rooms = folder_with(raw, *BASELINES)
    (listed,) = read_mat(mat, variable)
    names, notes = listed_once((_item(mat, str(path)) for path in np.ravel(listed)), variable)
    found = {name: _scene(rooms / name) for name in names}
    lacking = [name for name, scene in found.items() if scene is None]
    items = [
        RawItem(key_of(name), partial(_members, rooms / name, name, scene))
        for name, scene in found.items()
        if scene and (scene in SCENES or (split == "train" and scene != _UNKNOWN))
    ]
    return RawDataset(
        items, SCENES, ("depth", "image"), LICENCE, EXPECTED[split], exact=split == "test",
        class_words=[scene.replace("_", " ") for scene in SCENES],
        notes=(*notes, *noted(f"items of {variable} have no scene.txt", lacking)),
    )  # fmt: skip


def _item(mat: Path, path: str) -> str:
    """An item's folder below SUNRGBD/, of the path that its authors had it at."""
    _, found, below = path.partition("SUNRGBD/")
    parts = [part for part in below.split("/") if part]
    if not found or parts[0] not in BASELINES or ".." in parts:
        raise UserError(f"{mat}: expected paths below SUNRGBD/, found {path!r}")
    return "/".join(parts)


def _scene(folder: Path) -> str | None:
    try:
        return read_file(folder / "scene.txt", _SMALL).decode("utf-8-sig").strip()
    except (UnreadableSample, UnicodeDecodeError):
        return None


def _members(folder: Path, name: str, scene: str) -> dict[str, bytes]:
    depth = read_file(_only(folder / "depth_bfx", (".png",)))
    image = read_picture(_only(folder / "image", SUFFIXES))
    labels = [SCENES.index(scene)] if scene in SCENES else []
    captions = [] if labels else [scene.replace("_", " ")]
    return {
        "depth.png": depth,
        **image,
        **described(name, labels, captions, depth=_sensor(folder, name)),
    }


def _only(folder: Path, suffixes: tuple[str, ...]) -> Path:
    try:
        files = list_files(folder, suffixes).files
    except UserError:
        files = []
    if len(files) != 1:
        raise UnreadableSample(f"{folder.name}: expected one file, found {len(files)}")
    return files[0]


def _sensor(folder: Path, name: str) -> dict[str, Any]:
    """`depth` of meta.json."""
    text = read_file(folder / "intrinsics.txt", _SMALL).split()
    try:
        fx = float(text[0])
    except (IndexError, ValueError):
        fx = math.nan
    if not fx > 0:
        raise UnreadableSample("intrinsics.txt: expected a focal length as its first number")
    return {"encoding": "sunrgbd-raw", "baseline": BASELINES[name.partition("/")[0]], "fx": fx}

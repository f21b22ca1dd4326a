"""SUN RGB-D (rgbd.cs.princeton.edu; for research, each part by its own authors' terms).

    SUNRGBD/{kv1,kv2,realsense,xtion}/.../ITEM/{image/*.jpg, depth_bfx/*.png}
    SUNRGBD/.../ITEM/{intrinsics.txt, scene.txt}
    SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat        `alltrain`, `alltest`: the items' folders

5,285 and 5,050 items (Song et al., CVPR 2015). `test` has those of the benchmark's 19 scenes, which
are 4,659. `train` has all but the 152 whose scene is `idk`, 5,133: a scene that is none of the 19
is their caption. Depth is stored as the file has it, millimetres rotated left by 3 bits, which is
what ViT-Lens reads; fx is the first number of intrinsics.txt, the baseline that of the sensor.
"""

from functools import partial
from pathlib import Path

import numpy as np

from pipeline.datasets import RawDataset, RawItem, key_of, known_split, noted
from pipeline.datasets.reading.folders import folder_with
from pipeline.datasets.reading.labels import described
from pipeline.datasets.reading.lists import listed_once
from pipeline.datasets.reading.matlab import read_mat
from pipeline.datasets.reading.sun_items import BASELINES, depth_and_image, scene_of, sensor_of
from pipeline.errors import UserError

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
_LISTS = "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
_UNKNOWN = "idk"


def read(raw: Path, split: str) -> RawDataset:
    """List a split."""
    variable = f"all{known_split(split, *EXPECTED)}"
    mat = folder_with(raw, _LISTS) / _LISTS
    rooms = folder_with(raw, *BASELINES)
    (listed,) = read_mat(mat, variable)
    names, notes = listed_once((_item(mat, str(path)) for path in np.ravel(listed)), variable)
    found = {name: scene_of(rooms / name) for name in names}
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


def _members(folder: Path, name: str, scene: str) -> dict[str, bytes]:
    labels = [SCENES.index(scene)] if scene in SCENES else []
    captions = [] if labels else [scene.replace("_", " ")]
    sensor = sensor_of(folder, name.partition("/")[0])
    return {**depth_and_image(folder), **described(name, labels, captions, depth=sensor)}

"""NYU-Depth v2, labelled part (cs.nyu.edu/~fergus; for research).

    splits.mat                  `trainNdxs` and `testNdxs`, counted from 1
    SUNRGBD/kv1/NYUdata/NYU0001/{image/*.jpg, depth_bfx/*.png, intrinsics.txt, scene.txt}
or  nyu_depth_v2_labeled.mat    HDF5: `images` [1449,3,640,480], `depths` [1449,640,480] in metres,
                                `sceneTypes`, a text each

654 test images (Silberman et al., ECCV 2012) of 16 scenes; the benchmark's tenth class is the last
seven of them together. Its published scores are of the frames as SUN RGB-D has them (SUNRGBD.zip),
which are read where they are there. NYU's own have holes filled in another way; they are stored as
SUN's are: cropped to the 561 x 427 that every sensor saw, in millimetres rotated left by 3 bits,
with the kv1 baseline and focal length.
"""

import io
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.datasets import RawDataset, RawItem, known_split, noted
from pipeline.datasets.reading.folders import folder_with
from pipeline.datasets.reading.hdf5 import Hdf5Array, Hdf5File
from pipeline.datasets.reading.labels import Labels, described
from pipeline.datasets.reading.matlab import read_mat
from pipeline.datasets.reading.sun_items import depth_and_image, scene_of, sensor_of
from pipeline.errors import UnreadableSample, UserError

LICENCE = "NYU Depth v2: research use"
HOME = (
    "cs.nyu.edu/~fergus/datasets: splits.mat; rgbd.cs.princeton.edu: SUNRGBD.zip (a link to "
    "SUNRGBD/ will do), or else nyu_depth_v2_labeled.mat"
)
SIZE = "about 3 GB, of SUNRGBD.zip 6"
EXPECTED, FRAMES = 654, 1449
OWN = [
    "bathroom", "bedroom", "bookstore", "classroom", "dining_room", "home_office", "kitchen",
    "living_room", "office",
]  # fmt: skip
OTHERS = {
    "computer_lab": "computer room", "foyer": "lobby", "office_kitchen": "office kitchen",
    "playroom": "playroom", "reception_room": "reception room", "study": "study",
    "study_room": "study space",
}  # fmt: skip
"""Scene -> what SUN RGB-D, and so the benchmark's prompts, call it."""
CLASSES = [*OWN, *OTHERS]
WORDS = [name.replace("_", " ") for name in OWN] + list(OTHERS.values())
SENSOR = {"encoding": "sunrgbd-raw", "baseline": 0.075, "fx": 518.857901}
"""SUNRGBD/kv1/NYUdata/*/intrinsics.txt."""
_SUN, _OWN = Path("kv1/NYUdata"), "nyu_depth_v2_labeled.mat"
_SEEN = slice(44, 471), slice(40, 601)
"""Rows and columns that are left of 480 x 640 (get_projection_mask.m of its toolbox)."""
_FARTHEST = 65.535


def read(raw: Path, split: str) -> RawDataset:
    """List the test split, of SUN RGB-D's frames where they are there."""
    known_split(split, "test")
    sun, numbers = folder_with(raw, str(_SUN)) / _SUN, _test_numbers(raw)
    items, notes = _suns(sun, numbers) if sun.is_dir() else _nyus(raw, numbers)
    return RawDataset(
        items, CLASSES, ("depth", "image"), LICENCE, EXPECTED, exact=True,
        class_words=WORDS, notes=notes,
    )  # fmt: skip


def _test_numbers(raw: Path) -> list[int]:
    splits = folder_with(raw, "splits.mat") / "splits.mat"
    (listed,) = read_mat(splits, "testNdxs")
    numbers = [int(number) for number in np.ravel(listed)]
    if not all(1 <= number <= FRAMES for number in numbers):
        raise UserError(f"{splits}: expected numbers of 1 to {FRAMES} in testNdxs")
    return numbers


def _suns(folder: Path, numbers: list[int]) -> tuple[list[RawItem], tuple[str, ...]]:
    labels = Labels(WORDS)

    def members(name: str, scene: str) -> dict[str, bytes]:
        label = labels.number(scene.replace("_", " "))
        sensor = sensor_of(folder / name, "kv1")
        return {**depth_and_image(folder / name), **described(name, [label], depth=sensor)}

    found = {name: scene_of(folder / name) for name in map(_name, numbers)}
    lacking = [name for name, scene in found.items() if scene is None]
    items = [RawItem(n, partial(members, n, scene)) for n, scene in found.items() if scene]
    return items, noted("frames have no scene.txt", lacking)


def _nyus(raw: Path, numbers: list[int]) -> tuple[list[RawItem], tuple[str, ...]]:
    path = folder_with(raw, _OWN) / _OWN
    file = Hdf5File(path)
    depths = file.array("depths", (None, 640, 480), "f")
    images = file.array("images", (len(depths), 3, 640, 480), "u")
    scenes = file.texts("sceneTypes")
    if max(numbers, default=0) > min(len(depths), len(scenes)):
        raise UserError(f"{path}: {len(depths)} frames, of which testNdxs names {max(numbers)}")
    members = partial(_members, depths, images, Labels(CLASSES))
    items = [RawItem(_name(n), partial(members, n, scenes[n - 1])) for n in numbers]
    return items, ()


def _name(number: int) -> str:
    return f"NYU{number:04d}"


def _members(
    depths: Hdf5Array, images: Hdf5Array, labels: Labels, number: int, scene: str
) -> dict[str, bytes]:
    label = labels.number(scene)
    metres, colours = depths.row(number - 1).T[_SEEN], images.row(number - 1).transpose(2, 1, 0)
    return {
        "depth.png": _png(rotated_millimetres(metres)),
        "image.png": _png(np.ascontiguousarray(colours[_SEEN], dtype=np.uint8)),
        **described(_name(number), [label], depth=SENSOR),
    }


def rotated_millimetres(metres: np.ndarray) -> np.ndarray:
    """Uint16 of the same shape: SUN RGB-D's encoding of metres, 0 where there is no depth.

    Raises:
        UnreadableSample: not finite, negative or beyond 65.535 m.
    """
    if not (metres.min() >= 0 and metres.max() <= _FARTHEST):  # NaN is neither
        raise UnreadableSample(f"depths: expected 0 to {_FARTHEST} metres")
    millimetres = np.rint(metres.astype(np.float64) * 1000).astype(np.uint16)
    return (millimetres << np.uint16(3)) | (millimetres >> np.uint16(13))


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()

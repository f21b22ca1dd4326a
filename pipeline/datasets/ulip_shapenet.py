"""ULIP-ShapeNet Triplets (github.com/salesforce/ULIP; ShapeNet's terms: non-commercial research).

    train.txt, test.txt                                     a line SYNSET-MODEL.npy each
    shapenet_pc/02691156-1a04....npy                        [8192, 3]
    rendered_images/02691156-1a04.../*_r_000.png, ...       30 views, depth and others beside each
or  only_rgb_depth_images/02691156-1a04..._r_000.png, ...   all of them in one folder
    taxonomy.json                                           synsetId and name of each synset

All of it is for training: 41,952 + 10,518 = 52,470 objects of 55 classes, as ULIP itself trains
(`whole: True`) and the paper's 52.5k say. An object is paired with one RGB view, chosen by its key;
only_rgb_depth_images are the same pictures, without those that ULIP does not use. Its captions are
the synset's names; prompts use the first of them.
"""

import os
from functools import partial
from hashlib import blake2b
from pathlib import Path

import msgspec

from pipeline.datasets import RawDataset, RawItem, key_of, known_split, noted
from pipeline.datasets.reading.clouds import read_cloud
from pipeline.datasets.reading.folders import folder_with
from pipeline.datasets.reading.labels import Labels, described
from pipeline.datasets.reading.lists import listed_once
from pipeline.datasets.reading.pictures import read_picture
from pipeline.datasets.reading.tables import read_lines
from pipeline.errors import UnreadableSample, UserError
from pipeline.small_files import read_json

LICENCE = "ShapeNet terms of use: non-commercial research and education"
HOME = "github.com/salesforce/ULIP, which links hf://datasets/SFXX/ulip"
SIZE = "52,470 clouds, 30 views of each"
EXPECTED = 52_470
DEGREES = range(0, 360, 12)
"""Of the views: NAME_r_012.png."""
_PICTURES = ("rendered_images", "only_rgb_depth_images")
_MEND = "put ULIP's own file there"


class _Synset(msgspec.Struct):
    synsetId: str
    name: str


def read(raw: Path, split: str) -> RawDataset:
    """List the objects of both lists."""
    known_split(split, "train")
    lists = [line for name in ("train", "test") for line in read_lines(_list(raw, name))]
    objects, notes = listed_once((Path(line).stem for line in lists), "train.txt and test.txt")
    taxonomy = folder_with(raw, "taxonomy.json") / "taxonomy.json"
    names = _names(taxonomy)
    synsets = sorted({name.partition("-")[0] for name in objects})
    unnamed = [synset for synset in synsets if synset not in names]
    if unnamed:
        raise UserError(f"{taxonomy}: no synset {unnamed[0]}, which is listed; {_MEND}")
    clouds = folder_with(raw, "shapenet_pc") / "shapenet_pc"
    there = {entry.name for entry in os.scandir(clouds)} if clouds.is_dir() else set()
    lacking = [name for name in objects if f"{name}.npy" not in there]
    classes = [names[synset] for synset in synsets]
    members = partial(_members, clouds, _pictures(raw), names, Labels(classes))
    return RawDataset(
        [RawItem(key_of(n), partial(members, n)) for n in objects if f"{n}.npy" in there],
        classes, ("points", "image"), LICENCE, EXPECTED,
        class_words=[synonyms(name)[0] for name in classes],
        notes=(*notes, *noted("listed objects have no cloud in shapenet_pc", lacking)),
    )  # fmt: skip


def synonyms(name: str) -> list[str]:
    """The names of a synset: `airplane,aeroplane,plane` has three."""
    return [each for part in name.split(",") if (each := part.strip())] or [name]


def _members(
    clouds: Path, views: Path, names: dict[str, str], labels: Labels, name: str
) -> dict[str, bytes]:
    label = names[name.partition("-")[0]]
    return {
        **read_cloud(clouds / f"{name}.npy", name),
        **read_picture(_view(views, name)),
        **described(name, [labels.number(label)], synonyms(label)),
    }


def _pictures(raw: Path) -> Path:
    """The folder of all pictures, of either name."""
    folder = folder_with(raw, *_PICTURES)
    return next((folder / name for name in _PICTURES if (folder / name).is_dir()), folder)


def _view(pictures: Path, name: str) -> Path:
    """One of an object's RGB views, in its own folder or among those of all."""
    folder = pictures / name if (pictures / name).is_dir() else pictures
    paths = (folder / f"{name}_r_{angle:03d}.png" for angle in DEGREES)
    views = [path for path in paths if path.is_file()]
    if not views:
        raise UnreadableSample(f"{pictures.name}: no RGB view {name}_r_*.png")
    number = int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
    return views[number % len(views)]


def _list(raw: Path, name: str) -> Path:
    """A list, right in the folder or in Point-BERT's subfolder ShapeNet-55."""
    return folder_with(raw, f"{name}.txt") / f"{name}.txt"


def _names(path: Path) -> dict[str, str]:
    try:
        return {each.synsetId: each.name for each in read_json(path, list[_Synset], _MEND)}
    except FileNotFoundError:
        raise UserError(f"{path}: not found; {_MEND}") from None

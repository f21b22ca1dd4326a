"""ModelNet40 (modelnet.cs.princeton.edu; for academic use), as points or as meshes.

    modelnet40_normal_resampled/airplane/airplane_0001.txt    10,000 lines x,y,z,nx,ny,nz
    modelnet40_normal_resampled/modelnet40_{shape_names,train,test}.txt
or  ModelNet40/airplane/{train,test}/airplane_0001.off

9,843 for training and 2,468 for testing (Wu et al., CVPR 2015) in 40 classes. Normals are left out;
meshes are sampled by area. The modelnet40_*_8192pts_fps.dat that some repositories share are
pickles, which run whatever code is in them: they are not read.
"""

from functools import partial
from pathlib import Path

from pipeline.datasets import RawDataset, RawItem, key_of, known_split, noted
from pipeline.datasets.reading.clouds import read_cloud
from pipeline.datasets.reading.folders import folder_with, list_files, subfolders
from pipeline.datasets.reading.labels import Labels, described
from pipeline.datasets.reading.lists import listed_once
from pipeline.datasets.reading.tables import read_lines
from pipeline.errors import UserError

LICENCE = "ModelNet: academic use; copyright of each model remains with its author"
HOME = (
    "shapenet.cs.stanford.edu/media/modelnet40_normal_resampled.zip or "
    "modelnet.cs.princeton.edu/ModelNet40.zip"
)
SIZE = "about 2 GB"
EXPECTED = {"train": 9843, "test": 2468}
CLASSES = [
    "airplane", "bathtub", "bed", "bench", "bookshelf", "bottle", "bowl", "car", "chair",
    "cone", "cup", "curtain", "desk", "door", "dresser", "flower_pot", "glass_box", "guitar",
    "keyboard", "lamp", "laptop", "mantel", "monitor", "night_stand", "person", "piano",
    "plant", "radio", "range_hood", "sink", "sofa", "stairs", "stool", "table", "tent",
    "toilet", "tv_stand", "vase", "wardrobe", "xbox",
]  # fmt: skip
"""modelnet40_shape_names.txt, which is in the alphabet's order."""


def read(raw: Path, split: str) -> RawDataset:
    """List a split of whichever release is there, the points first."""
    known_split(split, *EXPECTED)
    list_file = f"modelnet40_{split}.txt"
    points = folder_with(raw, list_file)
    listed = (points / list_file).is_file()
    found, notes = _listed(points, list_file) if listed else _meshes(raw, split)
    labels = Labels(CLASSES)
    items = [RawItem(key_of(path.stem), partial(_members, path, labels)) for path in found]
    lacking = [c for c in CLASSES if not any(path.stem.startswith(f"{c}_") for path in found)]
    return RawDataset(
        items, CLASSES, ("points",), LICENCE, EXPECTED[split], exact=split == "test",
        class_words=[name.replace("_", " ") for name in CLASSES],
        notes=(*notes, *noted("classes have no sample", lacking)),
    )  # fmt: skip


def _members(path: Path, labels: Labels) -> dict[str, bytes]:
    name, _, _ = path.stem.rpartition("_")
    return {**read_cloud(path, path.stem), **described(path.stem, [labels.number(name)])}


def _listed(folder: Path, list_file: str) -> tuple[list[Path], tuple[str, ...]]:
    """What the split's list names and is there."""
    names, notes = listed_once(read_lines(folder / list_file), list_file)
    paths = [folder / name.rpartition("_")[0] / f"{name}.txt" for name in names]
    there = set(list_files(folder, (".txt",)).files)
    lacking = [path.stem for path in paths if path not in there]
    found = [path for path in paths if path in there]
    return found, (*notes, *noted(f"samples of {list_file} have no file", lacking))


def _meshes(raw: Path, split: str) -> tuple[list[Path], tuple[str, ...]]:
    """Those in a folder named as the split."""
    listing = list_files(folder_with(raw, "ModelNet40"), (".off",))
    found = [path for path in listing.files if path.parent.name == split]
    if not found:
        raise UserError(f"{raw}: {_nothing(raw, split)}")
    return found, listing.notes


def _nothing(raw: Path, split: str) -> str:
    others = sorted(
        path.name for ending in ("dat", "pkl", "h5") for path in raw.rglob(f"*.{ending}")
    )
    if others and not others[0].endswith(".h5"):
        return (
            f"{others[0]} is a pickle, which runs whatever code is in it, and is not read; get "
            "modelnet40_normal_resampled (text) or ModelNet40 (meshes) and put it there"
        )
    return (
        f"expected modelnet40_normal_resampled/ with modelnet40_{split}.txt in it, or "
        f"ModelNet40/CLASS/{split}/*.off, found {', '.join(others[:1] or subfolders(raw)[:3])}"
    )

"""ModelNet40 (modelnet.cs.princeton.edu; for academic use), as points or as meshes.

    modelnet40_normal_resampled/airplane/airplane_0001.txt    10,000 lines x,y,z,nx,ny,nz
    modelnet40_normal_resampled/modelnet40_{shape_names,train,test}.txt
or  modelnet40_normal_resampled/modelnet40_{train,test}_8192pts_fps.dat
or  ModelNet40/airplane/{train,test}/airplane_0001.off

9,843 for training and 2,468 for testing (Wu et al., CVPR 2015) in 40 classes. Normals are left out.
Meshes are sampled by area and turned: in them z is up, in the points, which published scores are
of, y. The .dat are what ULIP and Point-BERT give out in place of the text: 8,192 points of each, by
farthest point sampling, in the order of the lists, which lie beside them or not. They are pickles,
which would run whatever code is in them: only the places of their arrays are taken.
"""

import io
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.datasets import RawDataset, RawItem, key_of, known_split, noted
from pipeline.datasets.reading.clouds import npy_cloud, read_cloud
from pipeline.datasets.reading.folders import folder_with, list_files, subfolders
from pipeline.datasets.reading.labels import Labels, described
from pipeline.datasets.reading.lists import listed_once
from pipeline.datasets.reading.pickled import PickledArray, pickled_arrays
from pipeline.datasets.reading.tables import read_lines
from pipeline.errors import UnreadableSample, UserError

LICENCE = "ModelNet: academic use; copyright of each model remains with its author"
HOME = (
    "shapenet.cs.stanford.edu/media/modelnet40_normal_resampled.zip, or the folder of that name "
    "which github.com/salesforce/ULIP links, or modelnet.cs.princeton.edu/ModelNet40.zip"
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
    """List a split of whichever release is there, the points first, as text before pickles."""
    known_split(split, *EXPECTED)
    items, notes = _items(raw, split)
    lacking = [c for c in CLASSES if not any(item.key.startswith(f"{c}_") for item in items)]
    return RawDataset(
        items, CLASSES, ("points",), LICENCE, EXPECTED[split], exact=split == "test",
        class_words=[name.replace("_", " ") for name in CLASSES],
        notes=(*notes, *noted("classes have no sample", lacking)),
    )  # fmt: skip


def _items(raw: Path, split: str) -> tuple[list[RawItem], tuple[str, ...]]:
    list_file, pickle = f"modelnet40_{split}.txt", f"modelnet40_{split}_8192pts_fps.dat"
    folder = folder_with(raw, list_file)
    listed = read_lines(folder / list_file) if (folder / list_file).is_file() else []
    found, notes = _listed(folder, list_file, listed) if listed else ([], ())
    pickled = folder_with(raw, pickle) / pickle
    if not found and pickled.is_file():
        return _pickled(pickled, split, listed), ()
    if not listed:
        found, notes = _meshes(raw, split)
    labels = Labels(CLASSES)
    return [RawItem(key_of(path.stem), partial(_members, path, labels)) for path in found], notes


def _members(path: Path, labels: Labels) -> dict[str, bytes]:
    name, _, _ = path.stem.rpartition("_")
    cloud = read_cloud(path, path.stem)
    if path.suffix.lower() == ".off":
        cloud = _y_up(cloud)
    return {**cloud, **described(path.stem, [labels.number(name)])}


def _y_up(cloud: dict[str, bytes]) -> dict[str, bytes]:
    """A cloud whose third coordinate was its height, turned so that the second one is."""
    x, y, z = np.load(io.BytesIO(cloud["points.npy"])).T
    return npy_cloud(np.stack([x, z, -y], axis=1))


def _listed(folder: Path, list_file: str, listed: list[str]) -> tuple[list[Path], tuple[str, ...]]:
    """What the split's list names and is there."""
    names, notes = listed_once(listed, list_file)
    paths = [folder / name.rpartition("_")[0] / f"{name}.txt" for name in names]
    there = set(list_files(folder, (".txt",)).files)
    lacking = [path.stem for path in paths if path not in there]
    found = [path for path in paths if path in there]
    return found, (*notes, *noted(f"samples of {list_file} have no file", lacking))


def _pickled(path: Path, split: str, listed: list[str]) -> list[RawItem]:
    """All clouds of a pickle, each with its label, by the names of the list where there is one."""
    arrays = pickled_arrays(path)
    clouds = [array for array in arrays if len(array.shape) == 2]
    labels = [_class(array) for array in arrays if array.shape == (1,)]
    names = listed or [f"{label}_{split}{n:04d}" for n, label in enumerate(labels)]
    told = [name.rpartition("_")[0] for name in names]
    if not clouds or len(clouds) != len(labels) or told != labels:
        raise UserError(
            f"{path}: expected a label for each cloud, as modelnet40_{split}.txt has them, found "
            f"{len(clouds)} clouds, {len(labels)} labels; put the dataset's own files there"
        )
    return [
        RawItem(key_of(name), partial(_unpickled, cloud, name, CLASSES.index(label)))
        for name, cloud, label in zip(names, clouds, labels)
    ]


def _class(array: PickledArray) -> str:
    try:
        (label,) = array.read("<i4" if array.size == 4 else "<i8").tolist()
        return dict(enumerate(CLASSES))[label]  # of a list, -1 would be its last
    except (UnreadableSample, KeyError) as error:
        raise UserError(
            f"{array.path}: expected labels of 0 to {len(CLASSES) - 1}, found {error}; put the "
            "dataset's own file there"
        ) from None


def _unpickled(cloud: PickledArray, name: str, number: int) -> dict[str, bytes]:
    points = cloud.read("<f4")
    if points.shape[1] < 3:
        raise UnreadableSample(f"expected points [N, 3] or more, found {points.shape}")
    return {**npy_cloud(points[:, :3]), **described(name, [number])}


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
    return (
        f"expected modelnet40_normal_resampled/ with modelnet40_{split}.txt in it, or "
        f"modelnet40_{split}_8192pts_fps.dat, or ModelNet40/CLASS/{split}/*.off, found "
        f"{', '.join(others[:1] or subfolders(raw)[:3]) or 'nothing'}"
    )

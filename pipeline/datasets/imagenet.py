"""ImageNet-1k (ILSVRC 2012, image-net.org; non-commercial research only).

    train/n01440764/n01440764_10026.JPEG            1,281,167 in 1,000 folders
    val/n01440764/ILSVRC2012_val_00000293.JPEG      50,000, sorted into folders by the usual script
or  val/ILSVRC2012_val_00000001.JPEG                as they come, with the devkit beside them:
    ILSVRC2012_devkit_t12/data/{meta.mat, ILSVRC2012_validation_ground_truth.txt}
or  ILSVRC/Data/CLS-LOC/{train, val}                as Kaggle gives it out, beside:
    LOC_val_solution.csv                            ImageId, PredictionString: a class and boxes

Counts: image-net.org, ILSVRC 2012. Some of its files are CMYK or PNG under the name of a JPEG. The
classes are the WordNet ids in their order; prompts use the names that CLIP's authors wrote. Its
public WebDataset tars are read by the converter `webdataset`.
"""

from functools import partial
from pathlib import Path

from pipeline.datasets import RawDataset, RawItem, key_of, known_split, noted
from pipeline.datasets.reading.folders import folder_with, list_files, subfolders
from pipeline.datasets.reading.labels import described
from pipeline.datasets.reading.matlab import read_mat
from pipeline.datasets.reading.pictures import SUFFIXES, read_picture
from pipeline.datasets.reading.tables import read_lines, read_table
from pipeline.errors import UserError

LICENCE = "ImageNet terms of access: non-commercial research and education"
HOME = "image-net.org/download, after registration"
SIZE = "about 145 GB"
EXPECTED = {"train": 1_281_167, "val": 50_000}
_DEVKIT = Path("ILSVRC2012_devkit_t12/data")
_KAGGLE = Path("Data/CLS-LOC")
"""Annotations/CLS-LOC has folders of the same names."""
_SOLUTION = "LOC_val_solution.csv"


def read(raw: Path, split: str) -> RawDataset:
    """List a split."""
    known_split(split, *EXPECTED)
    folder, synsets = _folder(raw, split), wordnet_ids()
    folders = subfolders(folder)
    if not folders and split == "train":
        raise UserError(f"{folder}: expected folders such as {synsets[0]}/; unpack its tars")
    found = _in_folders(folder, folders) if folders else _flat(raw, folder)
    numbers = {synset: number for number, synset in enumerate(synsets)}
    items = [
        RawItem(key_of(path.stem), partial(_members, path, numbers[synset]))
        for path, synset in found
        if synset in numbers
    ]
    lacking = sorted(set(synsets) - {synset for _, synset in found})
    foreign = sorted({synset for _, synset in found} - set(synsets))
    notes = (
        *noted("classes have no picture", lacking),
        *noted("folders are none of the 1,000 classes and left out", foreign),
    )
    return RawDataset(
        items, synsets, ("image",), LICENCE, EXPECTED[split],
        exact=split == "val", class_words=_words(), notes=notes,
    )  # fmt: skip


def wordnet_ids() -> list[str]:
    """The 1,000 classes in their order."""
    from timm.data import ImageNetInfo  # seconds, which other converters need not wait for

    return list(ImageNetInfo("imagenet-1k").label_names())


def _words() -> list[str]:
    from open_clip import IMAGENET_CLASSNAMES  # as timm

    return list(IMAGENET_CLASSNAMES)


def _members(path: Path, number: int) -> dict[str, bytes]:
    return {**read_picture(path), **described(path.stem, [number])}


def _in_folders(folder: Path, synsets: list[str]) -> list[tuple[Path, str]]:
    return [
        (path, synset) for synset in synsets for path in list_files(folder / synset, SUFFIXES).files
    ]


def _folder(raw: Path, split: str) -> Path:
    kaggle = folder_with(raw, str(_KAGGLE)) / _KAGGLE
    return folder_with(kaggle if kaggle.is_dir() else raw, split) / split


def _flat(raw: Path, folder: Path) -> list[tuple[Path, str]]:
    """Pictures of one folder, each with the class that the devkit or Kaggle's table says."""
    solution = folder_with(raw, _SOLUTION) / _SOLUTION
    truth, classes = (solution, _kaggles(solution)) if solution.exists() else _devkits(raw)
    files = list_files(folder, SUFFIXES).files
    unknown = [path.name for path in files if path.stem not in classes]
    if unknown:
        raise UserError(
            f"{truth}: no class of it for {len(unknown)} pictures of {folder}, such as "
            f"{unknown[0]}; expected line N of the devkit for ILSVRC2012_val_N.JPEG, or a row of "
            f"{_SOLUTION}; put the dataset's own file there"
        )
    return [(path, classes[path.stem]) for path in files]


def _kaggles(solution: Path) -> dict[str, str]:
    """Class of a picture by its stem; its boxes, "synset x y x y" each, are of that one class."""
    rows = read_table(solution, ("ImageId", "PredictionString"))
    return {name: boxes.partition(" ")[0] for name, boxes in rows}


def _devkits(raw: Path) -> tuple[Path, dict[str, str]]:
    """The ground truth, and the class of a picture by its stem: line N says that of picture N."""
    devkit = folder_with(raw, str(_DEVKIT)) / _DEVKIT
    truth = devkit / "ILSVRC2012_validation_ground_truth.txt"
    lines = read_lines(truth)
    (synsets,) = read_mat(devkit / "meta.mat", "synsets")
    names = {f"{int(n)}": str(name) for n, name in zip(synsets["ILSVRC2012_ID"], synsets["WNID"])}
    numbered = enumerate(lines, start=1)
    return truth, {f"ILSVRC2012_val_{n:08}": names[line] for n, line in numbered if line in names}

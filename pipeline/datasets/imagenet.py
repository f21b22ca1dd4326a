"""ImageNet-1k (ILSVRC 2012, image-net.org; non-commercial research only).

    train/n01440764/n01440764_10026.JPEG            1,281,167 in 1,000 folders
    val/n01440764/ILSVRC2012_val_00000293.JPEG      50,000, sorted into folders by the usual script
or  val/ILSVRC2012_val_00000001.JPEG                as they come, with the devkit beside them:
    ILSVRC2012_devkit_t12/data/{meta.mat, ILSVRC2012_validation_ground_truth.txt}

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
from pipeline.datasets.reading.tables import read_lines
from pipeline.errors import UserError

LICENCE = "ImageNet terms of access: non-commercial research and education"
HOME = "image-net.org/download, after registration"
SIZE = "about 145 GB"
EXPECTED = {"train": 1_281_167, "val": 50_000}
_DEVKIT = Path("ILSVRC2012_devkit_t12/data")


def read(raw: Path, split: str) -> RawDataset:
    """List a split."""
    known_split(split, *EXPECTED)
    folder, synsets = folder_with(raw, split) / split, wordnet_ids()
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


def _flat(raw: Path, folder: Path) -> list[tuple[Path, str]]:
    """Pictures numbered from 1, each with the class that its line of the ground truth says."""
    devkit = folder_with(raw, str(_DEVKIT)) / _DEVKIT
    truth = devkit / "ILSVRC2012_validation_ground_truth.txt"
    lines = read_lines(truth)
    (synsets,) = read_mat(devkit / "meta.mat", "synsets")
    names = dict(zip(map(int, synsets["ILSVRC2012_ID"]), map(str, synsets["WNID"])))
    try:
        return [
            (path, names[int(lines[int(path.stem.rpartition("_")[2]) - 1])])
            for path in list_files(folder, SUFFIXES).files
        ]
    except (ValueError, IndexError, KeyError) as error:
        raise UserError(
            f"{truth}: no class of it for a picture of {folder} ({error}); expected line N for "
            "ILSVRC2012_val_N.JPEG; put the devkit's own file there"
        ) from None

"""ImageNet: the folders, the flat validation split with its devkit, files that are not what they
are called."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from pipeline.errors import UserError
from tests.made_media import corners, saved
from tests.pipeline.datasets.conversions import converted, labels, put, rejected

TENCH, FISH = "n01440764", "n01443537"
JPEG = saved(corners(), "jpeg")


def test_folders_are_classes(tmp_path: Path, capsys) -> None:
    raw = put(tmp_path / "raw", {
        f"train/{FISH}/{FISH}_2.JPEG": JPEG, f"train/{TENCH}/{TENCH}_1.JPEG": JPEG,
        f"train/{TENCH}/._{TENCH}_1.JPEG": b"Mac", f"train/{TENCH}/.DS_Store": b"Mac",
        "train/n00000000/n00000000_1.JPEG": JPEG,
    })  # fmt: skip
    index, samples = converted(raw, "imagenet", "image")
    assert labels(index, samples) == {f"{TENCH}_1": [TENCH], f"{FISH}_2": [FISH]}
    assert (index.classes[:2], index.words[:2]) == ([TENCH, FISH], ["tench", "goldfish"])
    assert index.expected == 1_281_167
    said = capsys.readouterr().err
    assert "mine/train: 2 of 1,281,167 samples of the official split are there" in said
    assert "1 folders are none of the 1,000 classes and left out: n00000000" in said


def test_cmyk_and_png_under_the_name_of_a_jpeg_are_kept_and_a_cut_one_rejected(
    tmp_path: Path,
) -> None:
    files = {
        "cmyk": saved(corners().convert("CMYK"), "jpeg"), "png": saved(corners(), "png"),
        "cut": JPEG[:-100], "page": b"<!DOCTYPE html><html>404</html>",
    }  # fmt: skip
    named = {f"train/{TENCH}/{name}.JPEG": data for name, data in files.items()}
    raw = put(tmp_path / "raw", named)
    _, samples = converted(raw, "imagenet", "image", max_rejected=0.6)
    assert {key: sorted(it)[0] for key, it in samples.items()} == {
        "cmyk": "image.jpg", "png": "image.png",
    }  # fmt: skip
    assert rejected(raw).keys() == {"cut", "page"}
    assert "is HTML, probably an error page of the download" in rejected(raw)["page"]


def flat(root: Path, truth: str) -> Path:
    raw = put(root / "raw", {
        "val/ILSVRC2012_val_00000001.JPEG": JPEG, "val/ILSVRC2012_val_00000002.JPEG": JPEG,
        "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": truth,
    })  # fmt: skip
    synsets = np.array(
        [(1, FISH), (2, TENCH)], [("ILSVRC2012_ID", object), ("WNID", object)]
    ).reshape(-1, 1)
    scipy.io.savemat(raw / "ILSVRC2012_devkit_t12/data/meta.mat", {"synsets": synsets})
    return raw


def test_the_flat_validation_split_is_labelled_by_the_devkit(tmp_path: Path) -> None:
    index, samples = converted(flat(tmp_path, "2\r\n1\r\n"), "imagenet", "image", "val", samples=2)
    assert labels(index, samples) == {
        "ILSVRC2012_val_00000001": [TENCH], "ILSVRC2012_val_00000002": [FISH],
    }  # fmt: skip


def test_a_ground_truth_that_is_short_is_named(tmp_path: Path) -> None:
    said = (
        "ground_truth.txt: no class of it for 1 pictures.*such as .*00000002.JPEG; expected line N"
    )
    with pytest.raises(UserError, match=said):
        converted(flat(tmp_path, "2\n"), "imagenet", "image", "val", samples=2)


def kaggle(root: Path, solution: str) -> Path:
    return put(root / "raw", {
        f"ILSVRC/Data/CLS-LOC/train/{TENCH}/{TENCH}_1.JPEG": JPEG,
        "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG": JPEG,
        "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000002.JPEG": JPEG,
        "ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG": JPEG,
        f"ILSVRC/Annotations/CLS-LOC/train/{TENCH}/{TENCH}_1.xml": "<annotation/>",
        "ILSVRC/Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml": "<annotation/>",
        "ILSVRC/ImageSets/CLS-LOC/val.txt": "ILSVRC2012_val_00000001 1\n",
        "LOC_val_solution.csv": "ImageId,PredictionString\n" + solution,
    })  # fmt: skip


def test_kaggles_archive_is_read_as_it_unpacks(tmp_path: Path) -> None:
    solution = (
        f"ILSVRC2012_val_00000002,{FISH} 111 108 230 173 {FISH} 1 2 3 4 \n"
        f"ILSVRC2012_val_00000001,{TENCH} 1 1 2 2 \n"
    )
    raw = kaggle(tmp_path, solution)
    index, samples = converted(raw, "imagenet", "image", "val", samples=2)
    assert labels(index, samples) == {
        "ILSVRC2012_val_00000001": [TENCH], "ILSVRC2012_val_00000002": [FISH],
    }  # fmt: skip
    index, samples = converted(raw, "imagenet", "image")
    assert labels(index, samples) == {f"{TENCH}_1": [TENCH]}


def test_a_solution_without_a_picture_is_named(tmp_path: Path) -> None:
    raw = kaggle(tmp_path, f"ILSVRC2012_val_00000002,{FISH} 1 1 2 2\n")
    with pytest.raises(UserError, match=r"LOC_val_solution.csv: no class.*00000001.JPEG.*a row of"):
        converted(raw, "imagenet", "image", "val", samples=2)


def test_a_partial_validation_split_is_refused_with_the_way_out(tmp_path: Path) -> None:
    raw = put(tmp_path / "raw", {f"val/{TENCH}/a.JPEG": JPEG})
    with pytest.raises(UserError, match=r"1 of 50,000.*sources.mine.samples to {val: 1}"):
        converted(raw, "imagenet", "image", "val")
    assert converted(raw, "imagenet", "image", "val", samples=1)[0].samples == 1


def test_a_split_that_is_not_there_is_named(tmp_path: Path) -> None:
    raw = put(tmp_path / "raw", {f"val/{TENCH}/a.JPEG": JPEG})
    with pytest.raises(UserError, match="no split 'test': this dataset has train, val"):
        converted(raw, "imagenet", "image", "test")

"""Folds of the pack: all that is scored is held out once, and no variant of it is trained on."""

import json
from collections import Counter
from pathlib import Path

import pytest

from demo.ablation.folds import held_out, write_fold
from demo.nano_clip import PACK
from pipeline.datasets.reading.pack import records
from pipeline.errors import UserError

FOLDS = 5


@pytest.fixture(scope="module")
def folds() -> list[set[str]]:
    return held_out(PACK, FOLDS)


@pytest.fixture(scope="module")
def class_of() -> dict[str, str | None]:
    lines = (PACK / "objects.jsonl").read_text().splitlines()
    return {line["id"]: line["class"] for line in map(json.loads, lines)}


def test_every_object_with_a_class_is_held_out_once(folds, class_of):
    counts = Counter(id_ for fold in folds for id_ in fold if class_of[id_])
    assert counts == {id_: 1 for id_, label in class_of.items() if label}


def test_variants_of_one_mesh_are_held_out_together(folds, class_of):
    groups = json.loads((PACK / "build.json").read_text())["variants_kept_together"]
    held = [group for group in groups if any(class_of[id_] for id_ in group)]
    assert held
    for group in held:
        touched = [fold for fold in folds if set(group) & fold]
        assert len(touched) == 1
        assert set(group) <= touched[0]


def test_other_objects_are_always_trained_on(folds, class_of):
    grouped = sum(json.loads((PACK / "build.json").read_text())["variants_kept_together"], [])
    for fold in folds:
        assert {id_ for id_ in fold if not class_of[id_]} <= set(grouped)


def test_every_fold_has_every_class(folds, class_of):
    for fold in folds:
        sizes = Counter(class_of[id_] for id_ in fold if class_of[id_])
        assert len(sizes) == 20
        assert 0.8 < sum(sizes.values()) / 72 < 1.2


def test_a_folds_pack_has_a_split_of_its_own_over_the_same_files(folds, tmp_path):
    write_fold(PACK, tmp_path / "pack", folds[0])
    before = (tmp_path / "pack" / "objects.jsonl").stat().st_mtime_ns
    assert {line["id"] for line in records(tmp_path / "pack", "objects", "test")} == folds[0]
    assert (tmp_path / "pack" / "points.zip").samefile(PACK / "points.zip")
    write_fold(PACK, tmp_path / "pack", folds[0])
    assert (tmp_path / "pack" / "objects.jsonl").stat().st_mtime_ns == before
    assert len(records(PACK, "objects", "test")) == 89


def test_a_pack_without_its_groups_is_refused(tmp_path: Path):
    write_fold(PACK, tmp_path / "pack", ())
    (tmp_path / "pack" / "build.json").unlink()
    with pytest.raises(UserError, match="build.json: expected variants_kept_together"):
        held_out(tmp_path / "pack", FOLDS)

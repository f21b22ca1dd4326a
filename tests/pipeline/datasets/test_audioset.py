"""AudioSet in a miniature of its official tables, its clips named as scripts name them."""

import json
from pathlib import Path

import pytest

from pipeline.datasets import audioset
from pipeline.errors import UserError
from tests.made_members import audio_bytes, hum
from tests.pipeline.datasets.conversions import converted, put, rejected
from tests.pipeline.datasets.made_films import film

CLASSES = 'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/m/05zppz,"Male speech, man speaking"\n'
HEAD = "# Segments csv created\n# num_ytids=2, num_segs=2\n# YTID, start_seconds, end_seconds, ..\n"
BALANCED = (
    '--aaaaaaaaa, 30.000, 40.000, "/m/09x0r,/m/05zppz"\n__bbbbbbbbb, 0.000, 10.000, "/m/09x0r"\n'
)
UNBALANCED = 'ccccccccccc, 5.000, 15.000, "/m/05zppz"\nddddddddddd, 5.000, 15.000, "/m/nothing"\n'


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audioset, "CLASSES", 2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    flac = audio_bytes(hum(0.2), container="FLAC")
    put(tmp_path / "raw", {
        "class_labels_indices.csv": CLASSES,
        "balanced_train_segments.csv": HEAD + BALANCED,
        "unbalanced_train_segments.csv": HEAD + UNBALANCED,
        "audio/--aaaaaaaaa.flac": flac,
        "audio/Y__bbbbbbbbb.mp4": film(),
        "more/ccccccccccc_5000_15000.m4a": film("ipod", None),
        "more/ddddddddddd_5.wav": flac,
    })  # fmt: skip
    return tmp_path


def test_both_training_tables_are_one_split(root: Path, capsys) -> None:
    index, samples = converted(root / "raw", "audioset", "audio", "train", max_rejected=0.3)
    assert samples.keys() == {"Y--aaaaaaaaa", "Y__bbbbbbbbb", "Yccccccccccc"}
    assert json.loads(samples["Y--aaaaaaaaa"]["meta.json"]) == {
        "id": "--aaaaaaaaa", "labels": [0, 1], "start": 30,
    }  # fmt: skip
    assert samples["Y__bbbbbbbbb"].keys() == {"audio.flac", "image.jpg", "meta.json"}
    assert index.classes == ["Speech", "Male speech, man speaking"]
    assert index.class_words == ["speech", "male speech, man speaking"]
    assert index.expected == 2_063_949
    assert "4 of 2,063,949 samples of the official split are there" in capsys.readouterr().err


def test_a_mid_that_no_class_has_is_a_rejected_sample(root: Path) -> None:
    converted(root / "raw", "audioset", "audio", "train", max_rejected=0.3)
    (why,) = rejected(root / "raw").items()
    assert why[0] == "Yddddddddddd"
    assert "unknown class '/m/nothing'; did you mean" in why[1]


def test_one_table_is_enough_and_the_other_is_named(root: Path) -> None:
    (root / "raw/unbalanced_train_segments.csv").unlink()
    listed = audioset.read(root / "raw", "train")
    assert len(listed.items) == 2
    assert listed.notes == ("1 tables are not there: unbalanced_train_segments.csv",)


def test_no_table_at_all_is_an_error(root: Path) -> None:
    with pytest.raises(UserError, match=r"eval_segments.csv: not found"):
        audioset.read(root / "raw", "eval")


def test_classes_of_another_release_are_named(root: Path) -> None:
    put(root / "raw", {"class_labels_indices.csv": CLASSES.replace("1,/m", "2,/m")})
    with pytest.raises(UserError, match=r"expected the indices 0..1 in their order, found 2 rows"):
        audioset.read(root / "raw", "train")

"""UCF101 in a miniature of its official layout."""

import json
from pathlib import Path

import pytest

from pipeline.datasets import ucf101
from pipeline.errors import UserError
from tests.made_media import clip
from tests.pipeline.datasets.conversions import converted, put, rejected

ACTIONS = ("ApplyEyeMakeup", "TaiChi", "YoYo")


def avi(action: str, group: int) -> str:
    return f"{action}/v_{action}_g{group:02d}_c01.avi"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ucf101, "CLASSES", 3)
    monkeypatch.setitem(ucf101.SAMPLES, "test01", 3)
    numbered = list(enumerate(ACTIONS, 1))
    data = clip(6, "avi", "mpeg4")
    put(tmp_path / "raw", {
        "ucfTrainTestlist/classInd.txt": "".join(f"{n} {name}\r\n" for n, name in numbered),
        "ucfTrainTestlist/trainlist01.txt": "".join(f"{avi(a, 8)} {n}\r\n" for n, a in numbered),
        "ucfTrainTestlist/testlist01.txt": "".join(f"{avi(a, 1)}\r\n" for a in ACTIONS),
        **{f"UCF-101/{avi(a, group)}": data for a in ACTIONS for group in (1, 8)},
    })  # fmt: skip
    return tmp_path


def test_a_test_list_has_its_clips_and_the_words_of_their_classes(root: Path) -> None:
    index, samples = converted(root / "raw", "ucf101", "video", "test01")
    assert index.classes == list(ACTIONS)
    assert index.class_words == ["apply eye makeup", "tai chi", "yo yo"]
    assert samples.keys() == {f"v_{action}_g01_c01" for action in ACTIONS}
    sample = samples["v_TaiChi_g01_c01"]
    assert json.loads(sample["meta.json"])["labels"] == [1]
    assert sample["video.mp4"] == clip(6, "avi", "mpeg4")


def test_folders_of_download_scripts_are_found(root: Path) -> None:
    (root / "raw/ucfTrainTestlist").rename(root / "raw/annotations")
    (root / "raw/UCF-101").rename(root / "raw/videos")
    (root / "raw/rawframes").mkdir()
    _, samples = converted(root / "raw", "ucf101", "video", "test01")
    assert samples.keys() == {f"v_{action}_g01_c01" for action in ACTIONS}


def test_a_training_list_goes_on_without_what_is_missing(root: Path, capsys) -> None:
    (root / "raw/UCF-101" / avi("YoYo", 8)).unlink()
    index, _ = converted(root / "raw", "ucf101", "video", "train01")
    assert index.samples == 2
    said = capsys.readouterr().err
    assert "1 clips of the list are not there: YoYo/v_YoYo_g08_c01.avi" in said
    assert "2 of 9,537 samples of the official split are there" in said


def test_a_test_list_does_not(root: Path) -> None:
    (root / "raw/UCF-101" / avi("YoYo", 1)).unlink()
    with pytest.raises(UserError, match="2 of 3 samples"):
        converted(root / "raw", "ucf101", "video", "test01")


def test_a_folder_that_is_no_class_is_a_rejected_sample(root: Path) -> None:
    put(root / "raw", {"ucfTrainTestlist/classInd.txt": "1 ApplyEyeMakeup\n2 TaiChi\n3 Yoyo\n"})
    converted(root / "raw", "ucf101", "video", "test01", max_rejected=0.5)
    (why,) = rejected(root / "raw", "test01").values()
    assert "unknown class 'YoYo'; did you mean 'Yoyo'" in why


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("HandstandPushups", "hand stand pushups"),
        ("HandstandWalking", "handstand walking"),
        ("Basketball", "basketball"),
        ("PlayingDhol", "playing dhol"),
    ],
)
def test_words(name: str, words: str) -> None:
    assert ucf101._words(name) == words


def test_class_numbers_out_of_order_are_named(root: Path) -> None:
    put(root / "raw", {"ucfTrainTestlist/classInd.txt": "1 ApplyEyeMakeup\n3 TaiChi\n2 YoYo\n"})
    with pytest.raises(UserError, match="expected 3 lines of a number and a class, in order"):
        ucf101.read(root / "raw", "test01")


def test_there_are_three_ways_to_split(root: Path) -> None:
    with pytest.raises(UserError, match="no split 'test': this dataset has train01, test01"):
        ucf101.read(root / "raw", "test")

"""ESC-50 in a miniature of its official layout."""

import json
import re
from pathlib import Path

import pytest

from pipeline.datasets import esc50
from pipeline.errors import UserError
from tests.made_members import audio_bytes, hum
from tests.pipeline.datasets.conversions import converted, put

HEADER = "filename,fold,target,category,esc10,src_file,take\r\n"
CLASSES = ["dog", "rooster", "sea_waves"]


def make(root: Path, rows: str | None = None) -> None:
    listed = [(f"{n % 2 + 1}-1000{n}-A-{n % 3}.wav", n % 2 + 1, n % 3) for n in range(6)]
    lines = [f"{name},{fold},{t},{CLASSES[t]},False,1,A\r\n" for name, fold, t in listed]
    sounds = {f"audio/{row[0]}": audio_bytes(hum(0.1, 44100), 44100) for row in listed}
    put(root / "raw", {"meta/esc50.csv": HEADER + (rows or "".join(lines)), **sounds})


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(esc50, "CLASSES", 3)
    monkeypatch.setattr(esc50, "SAMPLES", 6)


def test_all_of_it_is_one_split_with_the_fold_of_each(tmp_path: Path) -> None:
    make(tmp_path)
    index, samples = converted(tmp_path / "raw", "esc50", "audio", "test", prompts="sound")
    assert index.classes == CLASSES
    assert index.class_words == ["dog", "rooster", "sea waves"]
    assert sorted(samples) == [f"{n % 2 + 1}-1000{n}-A-{n % 3}" for n in (0, 2, 4, 1, 3, 5)]
    meta = json.loads(samples["2-10005-A-2"]["meta.json"])
    assert (meta["fold"], meta["labels"], meta["id"]) == (2, [2], "2-10005-A-2.wav")


def test_kaggles_layout_is_the_same_without_its_copies_at_16_khz(tmp_path: Path) -> None:
    make(tmp_path)
    _, official = converted(tmp_path / "raw", "esc50", "audio", "test")
    raw = tmp_path / "raw"
    (raw / "meta/esc50.csv").rename(raw / "esc50.csv")
    (raw / "audio").rename(raw / "sounds")
    (raw / "audio").mkdir()
    (raw / "sounds").rename(raw / "audio/audio")
    copies = [path.name for path in (raw / "audio/audio").iterdir()]
    put(raw / "audio/audio/16000", dict.fromkeys(copies, audio_bytes(hum(0.1))))
    _, kaggles = converted(raw, "esc50", "audio", "test", samples_per_shard=1)
    assert kaggles == official


def test_a_benchmark_that_lacks_a_file_is_refused_until_told(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "raw/audio/1-10000-A-0.wav").unlink()
    with pytest.raises(UserError, match="5 of 6 samples .* are there; 1 files of .*1-10000-A-0"):
        converted(tmp_path / "raw", "esc50", "audio", "test")
    index, _ = converted(tmp_path / "raw", "esc50", "audio", "test", samples={"test": 5})
    assert index.samples == 5


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("a.wav,1,0,dog,,,\nb.wav,1,0,cat,,,\n", "one category for each target 0..2"),
        ("a.wav,1,0,dog,,,\nb.wav,1,1,cat,,,\nc.wav,x,2,cow,,,\n", "expected folds 1 to 5"),
    ],
)
def test_a_table_of_another_release_is_named(tmp_path: Path, rows: str, why: str) -> None:
    make(tmp_path, rows)
    with pytest.raises(UserError, match=f"esc50.csv: .*{re.escape(why)}"):
        esc50.read(tmp_path / "raw", "test")


def test_there_is_no_other_split(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no split 'train': this dataset has test"):
        esc50.read(tmp_path, "train")

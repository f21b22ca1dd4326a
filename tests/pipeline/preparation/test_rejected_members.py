"""Hostile clips, maps and sounds are rejected with a reason and counted; the rest is kept."""

import json
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pytest

from pipeline.config import SourceConfig
from pipeline.datasets import RawDataset, RawItem
from pipeline.errors import UserError
from pipeline.preparation import prepare
from pipeline.preparation import split as module
from tests.made_members import audio_bytes, depth_png, every_member, hum, png_header, video_bytes
from tests.tiny_world import tiny_params

HOSTILE = {
    "video": {"empty": b"", "cut": video_bytes()[:3000]},
    "depth": {
        "zero": depth_png(np.zeros((4, 4), np.uint16)),
        "huge": png_header(50_000, 50_000),
        "8-bit": depth_png(np.zeros((4, 4), np.uint8)),
    },
    "audio": {
        "silent": audio_bytes(np.zeros(16000)),
        "1-sample": audio_bytes(hum(1)[:1]),
        "cut": audio_bytes(hum(2), container="FLAC")[:9000],
    },
}
NAMES = {"video": "video.mp4", "depth": "depth.png", "audio": "audio.flac"}


def prepared(
    items: list[RawItem],
    modality: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    max_rejected: float = 1.0,
) -> tuple[int, dict[str, str]]:
    """Samples kept, and reason by key of the others."""
    dataset = RawDataset(items, ["ball"], (modality,), "none")
    monkeypatch.setattr(module, "read_raw", lambda source, raw, split: dataset)
    params = tiny_params(folder)
    params.sources["things"] = SourceConfig(
        modality=modality, converter="pack_objects", raw="none", max_rejected=max_rejected
    )
    index = prepare(params, "things", "train", folder)
    lines = (folder / "shards/things/train/rejected.jsonl").read_text().splitlines()
    return index.samples, {line["key"]: line["reason"] for line in map(json.loads, lines)}


@pytest.mark.parametrize("modality", HOSTILE)
def test_what_no_view_could_use_is_rejected(
    modality: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = every_member()
    members = {"good": good} | {
        key: {**good, NAMES[modality]: data} for key, data in HOSTILE[modality].items()
    }
    items = [RawItem(key, lambda data=data: data) for key, data in members.items()]
    samples, rejected = prepared(items, modality, tmp_path, monkeypatch)
    assert samples == 1
    assert rejected.keys() == HOSTILE[modality].keys()
    assert all(len(reason) > 10 and "0x" not in reason for reason in rejected.values())


RAISED = {
    "KeyError: 'points'": KeyError("points"),
    "BadZipFile: File is not a zip file": BadZipFile("File is not a zip file"),
    "ValueError: invalid literal for int() with base 10: 'OFF490'": ValueError(
        "invalid literal for int() with\nbase 10: 'OFF490'"
    ),
    "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: no": (
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no")
    ),
    "FileNotFoundError: gone": FileNotFoundError("gone"),
}


def raising(error: BaseException) -> RawItem:
    def read() -> dict[str, bytes]:
        raise error

    return RawItem(type(error).__name__, read)


def test_what_a_converter_raises_rejects_its_sample_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [RawItem("good", every_member), *map(raising, RAISED.values())]
    samples, rejected = prepared(items, "image", tmp_path, monkeypatch)
    assert samples == 1
    assert rejected == {type(error).__name__: reason for reason, error in RAISED.items()}


def test_a_converter_that_is_wrong_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [RawItem("good", every_member), raising(AttributeError("no such thing"))]
    with pytest.raises(UserError, match="1 of 2 .*AttributeError: AttributeError: no such thing"):
        prepared(items, "image", tmp_path, monkeypatch, max_rejected=0.1)


@pytest.mark.parametrize("error", [UserError("mend it"), MemoryError(), KeyboardInterrupt()])
def test_what_is_no_fault_of_a_sample_ends_the_conversion(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(type(error)):
        prepared([RawItem("good", every_member), raising(error)], "image", tmp_path, monkeypatch)

"""Hostile clips, maps and sounds are rejected with a reason and counted; the rest is kept."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import prepare as preparation
from pipeline.config import SourceConfig
from pipeline.datasets import RawDataset, RawItem
from pipeline.prepare import prepare
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


@pytest.mark.parametrize("modality", HOSTILE)
def test_what_no_view_could_use_is_rejected(
    modality: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = every_member()
    members = {"good": good} | {
        key: {**good, NAMES[modality]: data} for key, data in HOSTILE[modality].items()
    }
    items = [RawItem(key, lambda data=data: data) for key, data in members.items()]
    dataset = RawDataset(items, ["ball"], (modality,), "none")
    monkeypatch.setattr(preparation, "read_raw", lambda source, raw, split: dataset)
    source = SourceConfig(modality=modality, converter="none", raw="none", max_rejected=1.0)
    params = tiny_params(tmp_path)
    params.sources["things"] = source
    index = prepare(params, "things", "train", tmp_path)
    lines = (tmp_path / "shards/things/train/rejected.jsonl").read_text().splitlines()
    rejected = {entry["key"]: entry["reason"] for entry in map(json.loads, lines)}
    assert index.samples == 1
    assert rejected.keys() == HOSTILE[modality].keys()
    assert all(len(reason) > 10 and "0x" not in reason for reason in rejected.values())

"""A held-out split as a stream: the features of views that are all held at once, in any process."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eval import encode
from eval.encode import Encoder, encode_split, evaluation_views
from eval.models import student_model, teacher_model
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.openclip import load_openclip
from pipeline.samples import decode_member
from pipeline.shards import read_index, read_shard, write_index, write_shard
from pipeline.views import EVALUATION
from pipeline.views.audio import evaluation_windows
from stage2_train.student import Student
from tests.made_members import audio_bytes, hum
from tests.tiny_world import FakeTeacher, tiny_params


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a batch ends within a worker's task, and a task within a tar."""
    monkeypatch.setattr(encode, "BATCH", 3)
    monkeypatch.setattr("eval.held_out.MOST_SAMPLES", 4)


def labelled(params: Params) -> list[Any]:
    folder = Path(params.shards) / "objects" / "test"
    maker = evaluation_views(params, "objects")
    samples = [s for shard in read_index(folder).shards for s in read_shard(folder, shard)]
    return [
        maker(decode_member(members, "points"), key, EVALUATION).array
        for key, members in samples
        if b'"labels": []' not in members["meta.json"]
    ]


def test_features_are_those_of_views_that_are_all_held_at_once(cached_world: Path) -> None:
    params = tiny_params(cached_world)
    student = Student(load_openclip(params.student.arch), params.student).eval()
    maker = evaluation_views(params, "objects")
    models = [student_model(student, maker), teacher_model(FakeTeacher(), maker)]
    found = encode_split(params, "objects", "test", models)
    views = labelled(params)
    for model, features in zip(models, found.features):
        taken = [model.handed_on(view) for view in views]
        chunks = [taken[start : start + 3] for start in range(0, len(taken), 3)]
        assert torch.equal(features, torch.cat([model.encode(chunk) for chunk in chunks]))
    assert len(found.labels) == len(views) > 3


META = b'{"labels": [0], "fold": 2}'


def sums(views: list[np.ndarray]) -> torch.Tensor:
    return torch.tensor(np.array([view.sum(axis=0) for view in views]))


def canonical(view: np.ndarray) -> np.ndarray:
    return view


def dies(view: np.ndarray) -> np.ndarray:
    os.kill(os.getpid(), signal.SIGKILL)
    return view


def in_workers(params: Params, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.setattr(encode, "FEW_VIEWS", 1)
    return replace(params, train=replace(params.train, loader_workers=1))


def test_worker_processes_make_the_same(
    cached_world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params, encoder = tiny_params(cached_world), Encoder("sums", canonical, sums)
    here = encode_split(params, "objects", "test", [encoder])
    there = encode_split(in_workers(params, monkeypatch), "objects", "test", [encoder, encoder])
    assert (there.texts, there.unreadable) == (here.texts, {})
    assert all(torch.equal(features, here.features[0]) for features in there.features)


def test_a_worker_that_is_killed_is_one_line(
    cached_world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params, encoder = tiny_params(cached_world), Encoder("sums", dies, sums)
    told = r"^a worker process died .*objects/test/.*tar, samples 0..3.* Lower train.loader_workers"
    with pytest.raises(UserError, match=told):
        encode_split(in_workers(params, monkeypatch), "objects", "test", [encoder])


def test_features_of_a_long_sounds_windows_are_averaged(cached_world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shards" / "objects" / "test"
    folder.mkdir(parents=True)
    sounds = [
        (str(n), {"audio.flac": audio_bytes(hum(n), container="FLAC"), "meta.json": META})
        for n in (1, 3, 2)
    ]
    index = read_index(cached_world / "shards" / "objects" / "test")
    shard = write_shard(folder / "a.tar", sounds)
    write_index(folder, replace(index, modality="audio", shards=[shard], samples_per_shard=3))
    params = tiny_params(tmp_path, views=replace(tiny_params(tmp_path).views, audio_seconds=1.0))
    params.sources["objects"] = replace(params.sources["objects"], modality="audio")
    encoder = Encoder("waves", lambda view: torch.from_numpy(view.waveform), torch.stack)
    found = encode_split(params, "objects", "test", [encoder], windows=3)
    windows = evaluation_windows(decode_member(sounds[1][1], "audio"), 3, params.views)
    waves = torch.stack([torch.from_numpy(view.waveform) for view in windows])
    assert len(waves) == 3
    assert torch.equal(found.features[0][1], waves.mean(dim=0))
    assert found.folds == [2, 2, 2]

"""Each benchmark of the paper: a miniature of its download, shards, scores, by the command."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from msgspec import to_builtins

from eval import benchmark_scores, raw_shards, zeroshot
from pipeline.errors import UserError
from pipeline.openclip import load_openclip
from stage2_train.student import Student
from tests.eval import raw_benchmarks as raw
from tests.tiny_world import FakeTeacher, tiny_params

MODALITIES = ["image", "video", "points", "depth", "audio"]


class AnyTeacher(FakeTeacher):
    """Of every modality: a fixed function of a view's values."""

    def preprocess(self, view: Any) -> torch.Tensor:
        values = np.asarray(getattr(view, "waveform", view), dtype=np.float32).reshape(-1)
        return torch.from_numpy(np.resize(values, (64, 3)))


@dataclass(frozen=True)
class Family:
    """One benchmark, in miniature."""

    protocol: str
    converter: str
    modality: str
    make: Callable[[Path, pytest.MonkeyPatch], None]
    samples: int
    own: str
    """Name of the score that it is compared by."""
    split: str = "test"

    @property
    def params(self) -> dict[str, Any]:
        """Beside the tiny world's."""
        source = {
            "modality": self.modality, "converter": self.converter, "raw": "nowhere",
            "splits": [self.split], "samples": {self.split: self.samples},
        }  # fmt: skip
        benchmark = {"source": "mine", "split": self.split, "teacher": "fake"}
        return {"sources": {"mine": source}, "benchmarks": {
            "mine": {**benchmark, "protocol": self.protocol}, "plain": benchmark,
        }}  # fmt: skip


FAMILIES = [
    Family("imagenet", "imagenet", "image", raw.imagenet, 2, "top1", "val"),
    Family("modelnet40", "modelnet40", "points", raw.modelnet40, 2, "top1"),
    Family("scanobjectnn", "scanobjectnn", "points", raw.scanobjectnn, 2, "top1"),
    Family("sun-d", "sunrgbd", "depth", raw.sunrgbd, 2, "top1"),
    Family("nyu-d", "nyud", "depth", raw.nyud, 2, "top1"),
    Family("audioset", "audioset", "audio", raw.audioset_clips, 3, "map", "eval"),
    Family("vggsound", "vggsound", "audio", raw.vggsound_clips, 3, "top1"),
    Family("esc50", "esc50", "audio", raw.esc50_sounds, 6, "folds"),
    Family("audiocaps", "audiocaps", "audio", raw.audiocaps_clips, 3, "from_text_r1",
           "test-without-vggsound"),
    Family("msrvtt", "msrvtt", "video", raw.msrvtt_clips, 2, "from_text_r1"),
    Family("ucf101", "ucf101", "video", raw.ucf101_clips, 2, "top1", "test01"),
]  # fmt: skip
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.protocol)


MANY_TEXTS = ("imagenet", "modelnet40")
"""The fake teacher's are hashes, which take no time."""


@pytest.fixture(scope="module")
def student(prepared_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student of all modalities, untrained."""
    config = tiny(prepared_world, {}).student
    folder = tmp_path_factory.mktemp("run") / "student"
    Student(load_openclip(config.arch), config).save(folder)
    return folder


def tiny(world: Path, changes: dict[str, Any]) -> Any:
    """The tiny world's params with sources and benchmarks more, and short views."""
    params = to_builtins(tiny_params(world))
    params["sources"] |= changes.get("sources", {})
    params["benchmarks"] = changes.get("benchmarks", {})
    params["student"] |= {"modalities": MODALITIES, "audio": {"seconds": 0.5}}
    params["student"]["video"] = {"frames": 4}
    params["views"] |= {"audio_seconds": 0.5, "video_frames": 4, "video_stride": 1}
    return tiny_params(world, **params)


@pytest.fixture(autouse=True)
def _fake_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_scores, "teacher_of", lambda *_: AnyTeacher())


def scored(
    root: Path, world: Path, patch: pytest.MonkeyPatch, family: Family, *more: str
) -> dict[str, float]:
    """metrics.json of the family's benchmark by the command; runs lie in `root`."""
    params = to_builtins(tiny(world, family.params))
    params["train"]["out"] = str(root / "run")
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    patch.setattr(sys, "argv", ["zeroshot", "--params", str(root / "params.yaml"), *more])
    zeroshot.main()
    [metrics] = root.rglob("metrics.json")
    return json.loads(metrics.read_text())


@every_family
def test_a_download_is_scored_by_its_protocol(
    family: Family, prepared_world: Path, student: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    family.make(tmp_path, monkeypatch)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/student").symlink_to(student)
    alone = family.protocol in MANY_TEXTS
    model = ("--teacher", "fake") if alone else ("--ckpt", str(tmp_path / "run/student"))
    scores = scored(
        tmp_path, prepared_world, monkeypatch, family, *model,
        "--benchmark", "mine", "--raw", str(tmp_path / "raw"),
    )["mine"]  # fmt: skip
    assert scores["samples"] == family.samples
    who = ["teacher"] if alone else ["student", "teacher"]
    assert all(0 <= scores[f"{each}_{family.own}"] <= 1 for each in who)
    assert "mine" in capsys.readouterr().out


def test_a_conversion_is_made_once_and_again_where_the_download_changed(
    prepared_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, made = FAMILIES[2], []
    family.make(tmp_path, monkeypatch)
    prepare = raw_shards.prepare
    monkeypatch.setattr(raw_shards, "prepare", lambda *given: (made.append(1), prepare(*given)))
    command = ("--teacher", "fake", "--benchmark", "mine", "--raw", str(tmp_path / "raw"))
    for _ in range(2):
        scored(tmp_path, prepared_world, monkeypatch, family, *command)
    assert len(made) == 1
    (tmp_path / "raw" / "more").write_text("")
    scored(tmp_path, prepared_world, monkeypatch, family, *command)
    assert len(made) == 2
    for tar in tmp_path.rglob("*.tar"):
        tar.write_bytes(b"")
    told = "run: python -m pipeline.prepare .*, or here: delete .* and run the same again$"
    with pytest.raises(UserError, match=told):
        scored(tmp_path, prepared_world, monkeypatch, family, *command)


def test_a_teacher_without_a_text_space_cannot_be_scored_alone(
    prepared_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnyTeacher, "text_space", None)
    with pytest.raises(UserError, match="mine: the teacher fake has no text space"):
        scored(tmp_path, prepared_world, monkeypatch, FAMILIES[1], "--teacher", "fake")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--teacher", "fakes"), "unknown teacher 'fakes'; did you mean 'fake'"),
        (("--teacher", "fake", "--raw", "x"), "--raw x: name with --benchmark the one"),
    ],
)
def test_arguments_that_cannot_be_are_told(
    arguments: tuple[str, ...], told: str, prepared_world: Path, tmp_path: Path, monkeypatch
) -> None:
    with pytest.raises(UserError, match=told):
        scored(tmp_path, prepared_world, monkeypatch, FAMILIES[1], *arguments)


def test_an_unknown_protocol_is_told_before_anything_is_read(
    prepared_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = Family("modelnet4", "modelnet40", "points", raw.modelnet40, 2, "top1")
    with pytest.raises(UserError, match="unknown protocol 'modelnet4'; did you mean 'modelnet40'"):
        scored(tmp_path, prepared_world, monkeypatch, family, "--teacher", "fake")

"""What teachers leave to a GPU, done here: the inputs that `preprocess` makes, to rounding."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stage1_extract import forward_pass
from stage1_extract.forward_pass import ForwardPass
from stage1_extract.teachers import load_teacher, multimae, recon
from stage1_extract.teachers.protocol import PreparesBatches, Teacher
from tests.pipeline.test_batched_spectrogram import sounds, view_of
from tests.stage1_extract.teachers.vitlens_nano import make_nano
from tests.tiny_world import make_clip

RNG = np.random.default_rng(0)


def clouds(count: int) -> list[np.ndarray]:
    return [RNG.uniform(-0.5, 0.5, (count, 6)).astype(np.float32) for _ in range(2)]


def assert_same(teacher: Teacher, views: list, atol: float = 0.0) -> None:
    assert isinstance(teacher, PreparesBatches)
    sent = pickle.dumps(teacher.raw)
    assert len(sent) < 10_000  # a worker gets it with each task: no weights
    assert pickle.loads(sent) == teacher.raw  # teachers share views where it is equal
    prepared = teacher.prepare(torch.stack([teacher.raw(view) for view in views]))
    expected = torch.stack([teacher.preprocess(view) for view in views])
    torch.testing.assert_close(prepared, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 3, 32, 32), (3, 40, 48)])
def test_clips_pixels_cross_as_bytes_where_they_need_no_resize(tmp_path: Path, shape) -> None:
    teacher = load_teacher("clip", arch=f"local-dir:{make_clip(tmp_path / 'clip')}")
    views = [RNG.integers(0, 256, shape, dtype=np.uint8) for _ in range(2)]
    assert (teacher.raw(views[0]).dtype == torch.uint8) == (shape[-1] == 32)
    assert_same(teacher, views)


def test_only_a_gpu_gets_raw_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = load_teacher("clip", arch=f"local-dir:{make_clip(tmp_path / 'clip')}")
    forward = ForwardPass(teacher, None, 4, "float32", range(2))
    view = RNG.integers(0, 256, (3, 32, 32), dtype=np.uint8)
    assert torch.equal(forward.input(view), teacher.preprocess(view))
    assert torch.equal(forward.feature(view), teacher.encode(teacher.preprocess(view)[None])[0])
    monkeypatch.setattr(forward_pass, "default_device", lambda: "cuda")
    on_gpu = replace(forward)
    assert torch.equal(on_gpu.input(on_gpu.handed_on(view)), torch.from_numpy(view))


@pytest.mark.parametrize("side", [224, 256])
def test_vitlens_depth(tmp_path: Path, side: int) -> None:
    views = [RNG.uniform(-1, 90, (1, side, side)).astype(np.float32) for _ in range(2)]
    assert_same(make_nano(tmp_path, "depth").load(), views)


def test_vitlens_sounds(tmp_path: Path) -> None:
    views = [view_of(sound, number) for number, sound in enumerate(sounds(3, 80000))]
    assert_same(make_nano(tmp_path, "audio").load(), views, atol=1e-4)


def test_vitlens_clouds_raw_and_too_large_ones_among_them(tmp_path: Path) -> None:
    teacher = make_nano(tmp_path, "pc").load()
    near, far = clouds(8200)
    assert_same(teacher, [near, 9 * far], atol=1e-6)


@pytest.mark.parametrize("count", [1000, 1300])
def test_recon_samples_the_same_points(count: int) -> None:
    assert_same(recon.ReConTeacher(recon.CARDS[0], Path("none"), None), clouds(count))


def test_multimae_depth_and_images() -> None:
    teacher = multimae.MultiMaeTeacher(multimae.CARDS[0], Path("none"), None)
    assert_same(teacher, [RNG.uniform(0, 9, (1, 32, 48)).astype(np.float32) for _ in "ab"], 1e-5)
    assert_same(teacher, [RNG.integers(0, 256, (3, 32, 32), dtype=np.uint8) for _ in "ab"])

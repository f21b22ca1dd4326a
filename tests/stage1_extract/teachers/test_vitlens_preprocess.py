"""ViT-Lens's preprocessing: official outputs, and what the golden cases leave out."""

import numpy as np
import pytest
import torch
from torchaudio.functional import resample

from pipeline.errors import UserError
from stage1_extract.teachers.filterbank import clips
from tests.golden.compare import assert_close, outputs
from tests.golden.vitlens_inputs import disparity, raw_cloud, unit_clouds
from tests.stage1_extract.teachers.vitlens_nano import make_nano

GOLDEN = outputs("vitlensL_preprocess")
CAMERAS = {"kv2": (100, 480, 640, 529.5), "nyu_kv1": (101, 427, 561, 518.857901)}


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """Nano models with official input sizes."""
    folder = tmp_path_factory.mktemp("nano")
    return {name: make_nano(folder, name).load() for name in ("depth", "audio", "pc")}


@pytest.mark.parametrize("camera", CAMERAS)
def test_golden_disparity(teachers, camera):
    view = disparity(*CAMERAS[camera])
    assert_close(view[::16, ::16], GOLDEN[f"{camera}_disparity"], "disparity")
    found = teachers["depth"].preprocess(view[None])
    assert found.shape == (1, 224, 224)
    assert_close(found[:, ::3, ::3], GOLDEN[f"{camera}_out"], "output")


def test_golden_disparity_of_the_models_size_is_not_resized(teachers):
    view = disparity(*CAMERAS["kv2"])[:224, :224]
    found = teachers["depth"].preprocess(view)[:, ::4, ::4]
    assert_close(found, GOLDEN["kv2_depthproc224_out"], "output")


@pytest.mark.parametrize(("name", "rate"), [("a3p2s_16k", 16000), ("a5s_44k1", 44100)])
def test_golden_filterbank(teachers, name, rate):
    waveform = torch.from_numpy(GOLDEN[f"{name}_in"].astype(np.float32) / 32768)
    found = teachers["audio"].preprocess(resample(waveform, rate, 16000).numpy())
    assert found.shape == (512, 128)
    assert_close(found[None, ::6], GOLDEN[f"{name}_out"], "output")


def test_golden_raw_cloud(teachers):
    found = teachers["pc"].preprocess(raw_cloud())
    assert found.shape == (8192, 3)
    assert_close(found[::16], GOLDEN["pc10000_out"], "output")


def test_a_view_keeps_the_scale_and_shift_of_its_augmentation(teachers):
    view = 1.25 * unit_clouds()[0] + 0.1
    assert np.array_equal(teachers["pc"].preprocess(view), view)
    coloured = np.concatenate([view, np.ones_like(view)], axis=1)
    assert np.array_equal(teachers["pc"].preprocess(coloured), view)


def test_a_small_raw_cloud_is_centred_and_scaled(teachers):
    found = teachers["pc"].preprocess(raw_cloud()[:500])
    assert found.shape == (500, 3)
    assert found.norm(dim=1).max() == pytest.approx(1)
    assert found.mean(0).abs().max() < 1e-6


def test_a_long_waveform_gives_three_clips_that_never_reach_its_end():
    waveform = np.random.default_rng(0).uniform(-1, 1, 128_000).astype(np.float32)
    found = clips(waveform)
    assert len(found) == 3
    for clip, start in zip(found, (0, 16_000, 32_000), strict=True):
        window = waveform[start : start + 80_000]
        assert_close(clip[0], window - window.mean(), f"clip from {start}")


def test_a_long_waveform_is_several_filterbanks_and_one_feature(teachers):
    teacher = teachers["audio"]
    waveform = np.random.default_rng(0).uniform(-1, 1, 100_000).astype(np.float32)
    banks = teacher.preprocess(waveform)
    assert banks.shape == (3, 512, 128)
    feature = teacher.encode(banks[None])
    torch.testing.assert_close(feature[0], teacher.encode(banks).mean(0))


def test_stereo_takes_the_mean_of_both_channels_and_the_bank_of_the_first(teachers):
    left = np.random.default_rng(0).uniform(-0.5, 0.5, 80_000).astype(np.float32)
    stereo = clips(np.stack([left, left + 0.2]))[0]
    torch.testing.assert_close(stereo[0], clips(left)[0][0] - 0.1)
    silent_right = teachers["audio"].preprocess(np.stack([left, 0 * left]))
    torch.testing.assert_close(silent_right, teachers["audio"].preprocess(left), rtol=0, atol=0.1)


def test_an_empty_waveform_is_refused():
    with pytest.raises(UserError, match="expected a waveform with samples"):
        clips(np.zeros(0, np.float32))

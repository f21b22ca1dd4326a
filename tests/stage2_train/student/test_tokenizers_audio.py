"""Audio tokens: the view's spectrogram, with its masks and noise, convolved over time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.config.data import ViewsConfig
from pipeline.config.student import AudioConfig, StudentConfig
from pipeline.errors import UserError
from pipeline.openclip import OpenClip
from pipeline.spectrogram import log_mel
from pipeline.views.audio import UNCHANGED, AudioView, apply_masks, apply_noise, sample_audio
from pipeline.views.rng import ViewRng
from stage2_train.student import Student
from stage2_train.student.inputs import student_input
from stage2_train.student.tokenizers import spectrogram
from stage2_train.student.tokenizers.audio import AudioTokenizer
from stage2_train.student.tokenizers.mel import MEAN, STD
from tests.stage2_train.student.conftest import EVERY_MODALITY
from tests.stage2_train.student.made_batches import waveforms


def view(samples: int = 8000, view_number: int = 0, drawn: bool = True) -> AudioView:
    sizes = ViewsConfig(audio_seconds=samples / 16000)
    rng = ViewRng(0, "sound", view_number)
    params = sample_audio(rng, sizes) if drawn else UNCHANGED
    fields = {name: getattr(params, name) for name in UNCHANGED.__dataclass_fields__}
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, samples).astype(np.float32)
    return AudioView(**fields, waveform=waveform)


def loaded(of: AudioView) -> np.ndarray:
    return student_input("audio", of, EVERY_MODALITY)[0].numpy()


def test_five_seconds_are_498_frames_and_123_tokens(openclip: OpenClip) -> None:
    array = loaded(view(80000))
    assert (array.shape, array.dtype) == ((498, 128), np.float32)
    student = Student(openclip, StudentConfig(modalities=("audio",)))
    tokens = student.tokenizers["audio"](student.visual, torch.from_numpy(array)[None])
    assert tokens.shape == (1, 1 + 123, 32)


def test_masks_before_standardising_then_noise_as_the_views_ask(five: Student) -> None:
    seen = view()
    assert seen.noise_level > 0
    assert seen.time_mask[1] > 0
    energies = apply_masks(log_mel(torch.from_numpy(seen.waveform)[None], "hamming"), seen)
    expected = apply_noise((energies - MEAN) / STD, seen)
    assert torch.equal(torch.from_numpy(loaded(seen)), expected)


def test_masked_cells_hold_zero_log_energy() -> None:
    seen = replace(view(), noise_level=0.0, roll=0)
    (frame, frames), (bin_, bins) = seen.time_mask, seen.frequency_mask
    masked, whole = loaded(seen), loaded(view(drawn=False))
    assert np.allclose(masked[frame : frame + frames], -MEAN / STD)
    assert np.allclose(masked[:, bin_ : bin_ + bins], -MEAN / STD)
    untouched = np.ones_like(masked, dtype=bool)
    untouched[frame : frame + frames], untouched[:, bin_ : bin_ + bins] = False, False
    assert np.array_equal(masked[untouched], whole[untouched])


def test_an_evaluation_view_and_its_raw_waveform_are_the_same_sound(five: Student) -> None:
    seen = view(drawn=False)
    from_view = five.encode("audio", loaded(seen)[None])
    assert torch.equal(from_view, five.encode("audio", seen.waveform[None]))


def test_the_window_is_hamming_and_a_view_repeats_exactly() -> None:
    waveform = waveforms()[0]
    hanning = (log_mel(waveform[None], "hanning") - MEAN) / STD
    assert not torch.allclose(spectrogram(waveform), hanning, atol=1e-3)
    assert np.array_equal(loaded(view()), loaded(view()))
    assert not np.array_equal(loaded(view()), loaded(view(view_number=1)))


def test_a_token_covers_its_kernels_frames_only(five: Student) -> None:
    tokenizer = five.tokenizers["audio"]
    x = torch.from_numpy(loaded(view()))[None]
    before = tokenizer(five.visual, x)
    x[:, 20] += 1  # frames 4t .. 4t + 7 make token t
    changed = (tokenizer(five.visual, x) != before).any(-1)[0, 1:]
    assert changed.nonzero().flatten().tolist() == [4, 5]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 16000), r"waveforms \[B, 8000\], found \[2, 16000\]"),
        ((2, 98, 128), r"spectrograms \[B, 48, 128\], found \[2, 98, 128\]"),
        ((2, 48, 64), r"spectrograms \[B, 48, 128\], found \[2, 48, 64\]"),
        ((8000,), r"spectrograms \[B, 48, 128\], found \[8000\]"),
    ],
)
def test_a_sound_of_another_length_is_refused(
    five: Student, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message + ".*audio.seconds is 0.5: set it to") as error:
        five.encode("audio", torch.zeros(shape))
    assert "\n" not in str(error.value)


def test_a_kernel_longer_than_the_sound_is_refused(five: Student) -> None:
    config = AudioConfig(seconds=0.1, kernel=9, stride=9)
    with pytest.raises(UserError, match="0.1 s give 8 frames, expected at least a kernel of 9"):
        AudioTokenizer(five.visual, config, torch.Generator())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stride": 9}, "stride must be from 1 to kernel"),
        ({"kernel": 0}, "stride must be from 1 to kernel"),
        ({"seconds": 0.0}, "seconds must be within"),
    ],
)
def test_an_audio_config_that_loses_frames_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AudioConfig(**settings)

"""Audio views: a window, and masks and noise that every model applies to its own spectrogram."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torchaudio.transforms import FrequencyMasking, TimeMasking

from pipeline.config import ViewsConfig
from pipeline.decoding.audio import decode_audio
from pipeline.errors import UserError
from pipeline.views import EVALUATION, ViewMaker, ViewRng, chain_for
from pipeline.views.audio import (
    UNCHANGED,
    AudioParams,
    AudioView,
    apply_masks,
    apply_noise,
    evaluation_windows,
    sample_audio,
)
from pipeline.views.digest import content_digest, params_digest
from stage1_extract.teachers import filterbank
from tests.made_members import audio_bytes, hum

DRAWS = 10_000
SIZES = ViewsConfig()
MAKER = ViewMaker(chain_for("audio", "audio"), 0, SIZES)
LONG, SHORT = (decode_audio(audio_bytes(hum(seconds))) for seconds in (9.5, 1.7))


@pytest.fixture(scope="module")
def drawn() -> list[AudioParams]:
    return [sample_audio(ViewRng(0, f"sound-{n}", 0), SIZES) for n in range(DRAWS)]


def close(counts: np.ndarray) -> bool:
    """Whether counts are those of a uniform draw."""
    expected = counts.sum() / len(counts)
    return bool(np.abs(counts - expected).max() < 5 * expected**0.5)


@pytest.mark.parametrize(("name", "below"), [("frequency_mask", 12), ("time_mask", 48)])
def test_mask_widths_are_below_table_ones(name: str, below: int, drawn: list[AudioParams]) -> None:
    widths = np.bincount([getattr(params, name)[1] for params in drawn])
    assert len(widths) == below
    assert close(widths)


@pytest.mark.parametrize(
    ("name", "official", "size"),
    [
        ("frequency_mask", FrequencyMasking(12), (128, 4)),
        ("time_mask", TimeMasking(48), (4, 498)),
    ],
)
def test_masks_are_distributed_as_torchaudios(
    name: str, official: torch.nn.Module, size: tuple[int, int], drawn: list[AudioParams]
) -> None:
    axis = size.index(4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        masked = torch.stack([official(torch.ones(1, *size))[0] == 0 for _ in range(2000)])
    theirs = masked.select(axis + 1, 0).float().mean(0).numpy()
    ours = np.zeros(size[1 - axis])
    for first, width in (getattr(params, name) for params in drawn):
        ours[first : first + width] += 1 / DRAWS
    assert np.abs(ours - theirs).max() < 5 * np.sqrt(theirs.max() / 2000)


def test_noise_roll_and_window_are_uniform(drawn: list[AudioParams]) -> None:
    levels = np.array([params.noise_level for params in drawn])
    assert levels.min() >= 0
    assert levels.max() < 0.1
    assert close(np.histogram(levels, 10, (0, 0.1))[0])
    rolls, counts = np.unique([params.roll for params in drawn], return_counts=True)
    assert rolls.tolist() == list(range(-10, 10))
    assert close(counts)
    assert close(np.histogram([params.start for params in drawn], 10, (0, 1))[0])


def test_a_long_sound_gives_a_window_of_it() -> None:
    whole = LONG.read(0, LONG.length)
    for view in range(5):
        waveform = MAKER(LONG, "sound", view).array.waveform
        first = int(MAKER.params("sound", view).start * (len(whole) - 80000 + 1))
        assert np.array_equal(waveform, whole[first : first + 80000])


def test_a_short_sound_is_repeated_from_a_drawn_sample_on() -> None:
    whole = SHORT.read(0, SHORT.length)
    first = int(MAKER.params("sound", 1).start * len(whole))
    expected = np.tile(whole, 5)[first : first + 80000]
    assert np.array_equal(MAKER(SHORT, "sound", 1).array.waveform, expected)
    evaluated = MAKER(SHORT, "sound", EVALUATION).array.waveform
    assert np.array_equal(evaluated, np.tile(whole, 5)[:80000])


def test_views_of_one_read_are_those_of_reading_each() -> None:
    together = MAKER.views(LONG, "sound", range(6))
    assert [v.content_digest for v in together] == [
        MAKER(LONG, "sound", view).content_digest for view in range(6)
    ]


def test_the_paired_clip_is_at_the_windows_place() -> None:
    paired = ViewMaker(chain_for("audio", "video"), 0, SIZES)
    starts = [(MAKER.params("s", v).start, paired.params("s", v).start) for v in range(20)]
    assert all(window == clip for window, clip in starts)
    assert len(set(starts)) == 20


def test_masks_zero_their_box_and_nothing_else() -> None:
    params = replace(UNCHANGED, frequency_mask=(100, 9), time_mask=(40, 30))
    energies = torch.randn(512, 128) - 20
    kept = energies.clone()
    masked = apply_masks(energies, params)
    box = torch.zeros(512, 128, dtype=torch.bool)
    box[40:70], box[:, 100:109] = True, True
    assert (masked[box] == 0).all()
    assert torch.equal(masked[~box], energies[~box])
    assert torch.equal(energies, kept)


def test_masks_refuse_another_number_of_bins() -> None:
    with pytest.raises(UserError, match="drawn for 128 Mel bins, found 64"):
        apply_masks(torch.zeros(512, 64), UNCHANGED)


def test_noise_depends_on_the_cell_not_on_the_padding() -> None:
    params = replace(UNCHANGED, noise_level=0.08, noise_key=np.array([3, 4], np.uint64))
    short, padded = (apply_noise(torch.zeros(frames, 128), params) for frames in (498, 512))
    assert torch.equal(short, padded[:498])
    assert short.min() >= 0
    assert short.max() < 0.08
    assert short.mean() == pytest.approx(0.04, abs=1e-3)


def test_noise_comes_before_the_roll() -> None:
    params = replace(UNCHANGED, noise_level=0.08, roll=3)
    still = apply_noise(torch.zeros(498, 128), replace(params, roll=0))
    assert torch.equal(apply_noise(torch.zeros(498, 128), params), still.roll(3, 0))


def test_evaluation_leaves_the_spectrogram_alone() -> None:
    view, energies = MAKER(LONG, "sound", EVALUATION).array, torch.randn(512, 128)
    assert torch.equal(apply_noise(apply_masks(energies, view), view), energies)
    start = (LONG.length - 80000) // 2
    assert np.array_equal(view.waveform, LONG.read(start, start + 80000))


def test_evaluation_windows_are_vitlens_clips() -> None:
    views = evaluation_windows(LONG, 3, SIZES)
    official = filterbank.clips(LONG.read(0, LONG.length))
    assert len(views) == len(official) == 3
    for view, clip in zip(views, official):
        waveform = torch.from_numpy(view.waveform)
        assert torch.equal(waveform - waveform.mean(), clip[0])
    assert len(evaluation_windows(SHORT, 3, SIZES)) == 1


def test_the_teacher_sees_the_views_masks() -> None:
    params = MAKER.params("sound", 0)
    view = MAKER(LONG, "sound", 0).array
    bank = filterbank.view_bank(replace(view, roll=0, noise_level=0.0), 512, 128)
    zero = (0 - filterbank.MEAN) / filterbank.STD
    (frame, frames), (bin_, bins) = params.time_mask, params.frequency_mask
    assert torch.allclose(bank[frame : frame + frames], torch.tensor(zero))
    assert torch.allclose(bank[:, bin_ : bin_ + bins], torch.tensor(zero))
    assert not torch.allclose(bank, filterbank.view_bank(view, 512, 128))


CHANGES = {
    "frequency_mask": (1, 2),
    "time_mask": (3, 4),
    "noise_level": 0.05,
    "noise_key": np.array([5, 6], np.uint64),
    "roll": 7,
    "start": 0.25,
    "waveform": np.ones(4, np.float32),
}


@pytest.mark.parametrize("name", CHANGES)
def test_digests_cover_every_field(name: str) -> None:
    masks = {field.name: getattr(UNCHANGED, field.name) for field in fields(UNCHANGED)}
    params = AudioParams(**masks, start=0.5)
    view = AudioView(**masks, waveform=np.zeros(4, np.float32))
    change = {name: CHANGES[name]}
    if name != "waveform":
        assert params_digest("k", 0, replace(params, **change)) != params_digest("k", 0, params)
    if name != "start":
        assert content_digest(replace(view, **change)) != content_digest(view)


def test_the_length_is_configured() -> None:
    maker = replace(MAKER, sizes=ViewsConfig(audio_seconds=2.0))
    assert len(maker(LONG, "sound", 0).array.waveform) == 32000
    assert all(sum(maker.params(str(n), 0).time_mask) <= 198 for n in range(300))
    assert maker.recipe()["audio_seconds"] == 2.0

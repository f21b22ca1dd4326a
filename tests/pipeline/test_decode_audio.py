"""Recordings: any part at 16 kHz as of the whole, the same on every machine, within bounds."""

import io

import numpy as np
import pytest
import torch
from torchaudio.transforms import Resample

from pipeline.decoding import audio
from pipeline.decoding.audio import decode_audio, read_excerpts
from pipeline.decoding.resample import RATE, kernel_size, resampled
from pipeline.errors import UnreadableSample
from tests.made_members import audio_bytes, hum

RATES = [8000, 11025, 22050, 32000, 44100, 48000, 96000]


@pytest.mark.parametrize("rate", RATES)
def test_resampling_is_torchaudios(rate: int) -> None:
    recording = decode_audio(audio_bytes(hum(1.3, rate), rate))
    stored = hum(1.3, rate) // 2**-15 * 2**-15
    expected = Resample(rate, RATE)(torch.from_numpy(recording._source(0, recording.count)).float())
    assert np.abs(recording._source(0, recording.count) - stored).max() < 2**-14
    assert recording.length == len(expected)
    assert np.abs(recording.read(0, recording.length) - expected.numpy()).max() < 1e-6


@pytest.mark.parametrize(
    ("rate", "kind"),
    [(rate, kind) for rate in RATES for kind in ("WAV", "FLAC", "OGG")][:-1],  # Vorbis ends below
)
def test_a_part_has_the_bits_of_the_whole(rate: int, kind: str) -> None:
    recording = decode_audio(audio_bytes(hum(2, rate), rate, kind))
    whole = recording.read(0, recording.length)
    for start, stop in ((0, 1), (7777, 20000), (recording.length - 400, recording.length)):
        assert np.array_equal(recording.read(start, stop), whole[start:stop])


def test_no_order_of_summation_changes_a_bit() -> None:
    """What makes content digests portable: every product and sum is exact in float64."""
    samples = hum(0.5, 44100)
    forwards = resampled(lambda a, b: samples[a:b], len(samples), 44100, 0, 8000)
    kernel = Resample(44100, RATE).kernel.double().numpy()
    taps = np.rint(kernel * 2**24)[:, 0] / 2**24
    padded = np.pad(np.rint(samples * 2**23) / 2**23, (17, 1000))
    one_by_one = [
        sum(padded[n // 160 * 441 + k] * taps[n % 160, k] for k in reversed(range(475)))
        for n in range(0, 8000, 801)
    ]
    assert np.array_equal(forwards[::801], np.array(one_by_one, np.float32))


def test_the_first_channel_is_read() -> None:
    left, right = hum(0.2, seed=1), hum(0.2, seed=2)
    both = decode_audio(audio_bytes(np.stack([left, right], axis=1)))
    alone = decode_audio(audio_bytes(left))
    assert np.array_equal(both.read(0, both.length), alone.read(0, alone.length))


def test_overlapping_windows_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = decode_audio(audio_bytes(hum(3)))
    whole, calls = recording.read(0, recording.length), []
    read = audio.Recording.read
    monkeypatch.setattr(
        audio.Recording, "read", lambda self, a, b: calls.append((a, b)) or read(self, a, b)
    )
    windows = [slice(20000, 30000), slice(0, 9000), slice(25000, 40000)]
    excerpts = read_excerpts(recording, windows)
    assert calls == [(0, 9000), (20000, 40000)]
    assert all(np.array_equal(excerpts[window], whole[window]) for window in windows)


def wav_with(value: float, at: int = 5000) -> bytes:
    samples = hum(1).astype(np.float32)
    samples[at] = value
    return audio_bytes(samples, subtype="FLOAT")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (np.zeros(16000), "silent"),
        (np.full(16000, 0.25), "silent"),
        (wav_with(np.nan), "NaN or beyond 4"),
        (wav_with(np.inf), "NaN or beyond 4"),
        (wav_with(-30000.0), "NaN or beyond 4"),
        (audio_bytes(hum(2), container="FLAC")[:20000], "audio: "),
    ],
    ids=["zeros", "constant", "nan", "infinite", "loud", "cut"],
)
def test_the_check_finds_what_no_view_could_use(data: bytes | np.ndarray, reason: str) -> None:
    recording = decode_audio(data if isinstance(data, bytes) else audio_bytes(data))
    with pytest.raises(UnreadableSample, match=reason):
        recording.check()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "audio: "),
        (b"RIFF nonsense" * 9, "audio: "),
        (audio_bytes(hum(1)[:1]), "1 samples at 16000 Hz; expected 0.025 to 3600 seconds"),
        (audio_bytes(hum(1)[:399]), "399 samples"),
        (audio_bytes(hum(1, 44101), 44101), "rate of 44101 Hz cannot be resampled"),
        (audio_bytes(hum(1, 400_000), 400_000), "rate of 400000 Hz"),
        (audio_bytes(np.zeros((800, 9))), "9 channels; the limit is 8"),
        (audio_bytes(hum(1), container="AIFF"), "expected FLAC, OGG or WAV, found AIFF"),
    ],
    ids=["empty", "garbage", "1 sample", "399", "odd rate", "fast", "9 channels", "aiff"],
)
def test_headers_out_of_bounds_are_refused_unread(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableSample, match=reason):
        decode_audio(data)


def test_a_recording_too_long_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "MAX_SECONDS", 2)
    with pytest.raises(UnreadableSample, match="33600 samples at 16000 Hz"):
        decode_audio(audio_bytes(hum(2.1)))


def test_a_header_that_promises_more_than_there_is() -> None:
    data = bytearray(audio_bytes(hum(1), container="FLAC"))
    data[21 : 21 + 5] = bytes([data[21] & 0xF0, 0, 0, 0xFF, 0xFF])  # total samples of STREAMINFO
    with pytest.raises(UnreadableSample, match="audio: "):
        decode_audio(bytes(data)).check()


def test_an_error_names_no_object_of_ours() -> None:
    with pytest.raises(UnreadableSample) as raised:
        decode_audio(io.BytesIO(b"x" * 100).getvalue())
    assert "0x" not in str(raised.value)


def test_the_kernel_stays_small_at_every_common_rate() -> None:
    assert max(kernel_size(rate) for rate in RATES) * 8 < 5e6

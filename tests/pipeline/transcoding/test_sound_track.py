"""The sound of a clip, MP3 or M4A as FLAC: at its own rate, with all channels, the same bytes."""

import io

import numpy as np
import pytest
import soundfile

from pipeline.decoding.audio import decode_audio
from pipeline.errors import UnreadableSample
from pipeline.transcoding import sound_track as module
from pipeline.transcoding.sound_track import sound_track
from tests.made_media import clip
from tests.pipeline.datasets.made_films import chirp, film

KINDS = [
    ("mp4", "libx264", "aac", 44100, 2),
    ("ipod", None, "aac", 22050, 1),
    ("adts", None, "aac", 44100, 2),
    ("mp3", None, "libmp3lame", 44100, 1),
    ("webm", None, "libopus", 48000, 2),
    ("avi", "mpeg4", "pcm_s16le", 16000, 2),
    ("matroska", None, "aac", 32000, 1),
]


@pytest.mark.parametrize(("container", "video", "sound", "rate", "channels"), KINDS)
def test_the_sound_of_every_kind_is_heard(container, video, sound, rate, channels) -> None:
    data = film(container, video, sound, 0.4, rate, channels)
    flac = sound_track(data)
    samples, found = soundfile.read(io.BytesIO(flac), always_2d=True)
    assert (found, samples.shape[1]) == (rate, channels)
    assert 0.4 <= len(samples) / rate < 0.6
    assert sound_track(data) == flac
    decode_audio(flac).check()
    assert likeness(samples[:, -1], chirp(0.4, rate, channels - 1)) > 0.9


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Greatest correlation over all delays."""
    found = np.fft.irfft(np.fft.rfft(one, 1 << 16) * np.fft.rfft(other, 1 << 16).conj())
    return float(found.max() / np.linalg.norm(one) / np.linalg.norm(other))


def test_aac_and_mp3_are_decoded_in_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that do it in floating point round differently from processor to processor."""
    used = []
    real = module.CodecContext.create
    monkeypatch.setattr(
        module, "CodecContext", type("", (), {"create": lambda *a: used.append(a[0]) or real(*a)})
    )
    sound_track(film("mp4", None, "aac"))
    sound_track(film("mp3", None, "libmp3lame", 0.4, 44100, 1))
    assert used == ["aac_fixed", "mp3"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (clip(3), "none in this file"),
        (film()[:-200], "cut short"),
        (b"not a film", "no MP4, M4A"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\n/etc/passwd\n", "no MP4, M4A"),
        (b"", "no MP4, M4A"),
    ],
)
def test_what_has_no_sound_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableSample, match=f"^sound track: .*{why}"):
        sound_track(data)


def test_too_much_of_it_is_refused_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SAMPLES", 10_000)
    with pytest.raises(UnreadableSample, match="over 10000 samples"):
        sound_track(film())

"""Lengths that headers state, against what there is: unknown is read to its end, short refused."""

import io
import struct

import numpy as np
import pytest
import soundfile

from pipeline.decoding import audio
from pipeline.decoding.audio import decode_audio
from pipeline.errors import UnreadableSample
from tests.made_members import audio_bytes, hum

SOUND = hum(2)
STORED = np.rint(SOUND * 2**15) / 2**15
KINDS = ("WAV", "WAVEX", "RF64")
UNKNOWN = (0, 0x7FFFFFFF, 0x7FFFF000, 0x80000000, 0xFFFFFFFF)
FLAC = audio_bytes(SOUND, container="FLAC")
OGG = audio_bytes(hum(20), container="OGG")


def streamed_wav(kind: str, size: int, outer: bool = True) -> bytes:
    """Written to a pipe: the header's sizes were never filled in."""
    data = bytearray(audio_bytes(SOUND, container=kind, subtype="PCM_16"))
    if kind == "RF64":
        place = data.index(b"ds64") + 8
        data[place : place + 24] = struct.pack("<QQQ", size, size, 0)
        return bytes(data)
    place = data.index(b"data") + 4
    data[place : place + 4] = struct.pack("<I", size)
    if outer:
        data[4:8] = struct.pack("<I", size)
    return bytes(data)


def streamed_flac() -> bytes:
    """Written to a pipe: 0 samples in STREAMINFO, which stands for unknown."""
    return FLAC[:21] + bytes([FLAC[21] & 0xF0, 0, 0, 0, 0]) + FLAC[26:]


def length(data: bytes) -> int:
    recording = decode_audio(data)
    recording.check()
    assert np.abs(recording.read(0, recording.length) - STORED[: recording.count]).max() < 1e-4
    return recording.count


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", UNKNOWN, ids=hex)
def test_a_streamed_wav_is_read_to_its_end(kind: str, size: int) -> None:
    assert length(streamed_wav(kind, size)) == 32000
    assert length(streamed_wav(kind, size, outer=False)) == 32000
    assert length(streamed_wav(kind, size)[:-2001]) == 30999


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [1, 2, 3000, 32000])
def test_a_wav_that_ends_before_its_header_says_is_refused(kind: str, missing: int) -> None:
    data = audio_bytes(SOUND, container=kind, subtype="PCM_16")
    with pytest.raises(
        UnreadableSample, match=f"64000 bytes of samples promised, {64000 - missing}"
    ):
        decode_audio(data[:-missing])


def test_a_wav_without_samples_is_not_a_streamed_one() -> None:
    header = streamed_wav("WAV", 0)[:44]
    with pytest.raises(UnreadableSample, match="0 samples at 16000 Hz"):
        decode_audio(header + b"LIST" + struct.pack("<I", 4000) + bytes(4000))
    with pytest.raises(UnreadableSample, match="0 samples at 16000 Hz"):
        decode_audio(header)


def test_what_follows_the_samples_is_none_of_them() -> None:
    data = audio_bytes(SOUND) + b"LIST" + struct.pack("<I", 400) + bytes(400)
    assert length(data) == 32000


def test_a_big_endian_wav_is_read() -> None:

    file = io.BytesIO()
    soundfile.write(file, SOUND, 16000, format="WAV", subtype="PCM_16", endian="BIG")
    assert length(file.getvalue()) == 32000
    with pytest.raises(UnreadableSample, match="promised"):
        decode_audio(file.getvalue()[:-2])


def test_a_streamed_flac_is_read_to_its_end() -> None:
    assert length(streamed_flac()) == 32000
    whole, streamed = decode_audio(FLAC), decode_audio(streamed_flac())
    assert np.array_equal(whole.read(11000, 19000), streamed.read(11000, 19000))


def test_a_streamed_flac_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "MAX_SAMPLES", 20000)
    with pytest.raises(UnreadableSample, match="32000 samples of 1 channels; the limit is 20000"):
        decode_audio(streamed_flac())


@pytest.mark.parametrize("data", [FLAC, streamed_flac()], ids=["flac", "streamed flac"])
@pytest.mark.parametrize("missing", [1, 500, 20000])
def test_a_flac_that_was_cut_is_refused(data: bytes, missing: int) -> None:
    with pytest.raises(UnreadableSample, match="audio: ."):
        decode_audio(data[:-missing]).check()


def test_an_ogg_cut_anywhere_is_refused() -> None:
    decode_audio(OGG).check()
    for cut in range(0, len(OGG), 997):
        with pytest.raises(UnreadableSample, match="audio: ."):
            decode_audio(OGG[:cut])


def test_many_channels_count_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "MAX_SAMPLES", 40000)
    decode_audio(audio_bytes(SOUND))
    with pytest.raises(UnreadableSample, match="32000 samples of 2 channels; the limit is 40000"):
        decode_audio(audio_bytes(np.stack([SOUND, SOUND], axis=1)))


def test_a_silent_first_channel_is_named() -> None:
    left_silent = audio_bytes(np.stack([np.zeros(32000), SOUND], axis=1))
    with pytest.raises(UnreadableSample, match="first channel, the one that is read, is silent"):
        decode_audio(left_silent).check()

"""The pack's sounds keep their promises: held-out notes, classes, audible clips, size."""

import io
import json
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from demo.ogg import with_serial
from demo.sound_classes import SOUND_CLASSES, SoundClass, sound_labels
from demo.sounds import licence_section
from pipeline.decoding.audio import decode_audio

PACK = Path(__file__).parents[2] / "demo" / "pack"


@pytest.fixture(scope="module")
def sounds() -> list[dict]:
    return [json.loads(line) for line in (PACK / "sounds.jsonl").read_text().splitlines()]


def test_every_class_has_sixteen_clips_and_four_of_them_test(sounds):
    assert [line["id"] for line in sounds] == sorted({line["id"] for line in sounds})
    counts = Counter((line["class"], line["split"]) for line in sounds)
    assert {label for label, _ in counts} == set(sound_labels())
    assert len(set(sound_labels())) == 48
    assert all(counts[label, "train"] == 12 for label in sound_labels())
    assert all(counts[label, "test"] == 4 for label in sound_labels())


@pytest.mark.parametrize("field", ["pitch", "velocity"])
def test_no_test_pitch_or_velocity_of_a_class_is_trained_on(sounds, field):
    for label in sound_labels():
        of_class = [line for line in sounds if line["class"] == label]
        train = {line[field] for line in of_class if line["split"] == "train"}
        assert train.isdisjoint(line[field] for line in of_class if line["split"] == "test")


def test_every_clip_decodes(sounds):
    with zipfile.ZipFile(PACK / "sounds.zip") as archive:
        for line in sounds:
            recording = decode_audio(archive.read(f"{line['id']}.ogg"))
            recording.check()
            assert recording.rate == 16_000
            assert 1.5 <= recording.length / recording.rate <= 1.8


def test_the_clips_are_audible(sounds):
    with zipfile.ZipFile(PACK / "sounds.zip") as archive:
        for line in sounds[::5]:
            recording = decode_audio(archive.read(f"{line['id']}.ogg"))
            samples = recording.read(0, recording.length)
            assert 0.3 < np.abs(samples).max() <= 1, line["id"]
            assert np.sqrt((samples**2).mean()) > 0.01, line["id"]


def test_the_sounds_are_small_and_have_no_member_too_many(sounds):
    assert (PACK / "sounds.zip").stat().st_size <= 3.5e6
    with zipfile.ZipFile(PACK / "sounds.zip") as archive:
        assert archive.namelist() == [f"{line['id']}.ogg" for line in sounds]


def test_the_records_say_what_the_plan_says(sounds):
    planned = {
        (sound.label, sound.bank, sound.program, note.key, note.velocity, note.split)
        for sound in SOUND_CLASSES
        for note in sound.notes()
    }
    fields = ("class", "bank", "program", "pitch", "velocity", "split")
    assert {tuple(line[field] for field in fields) for line in sounds} == planned


@pytest.mark.parametrize("lowest", [0, 60, 112])
def test_notes_stay_on_the_keyboard_and_vary(lowest):
    notes = SoundClass("oboe", 68, lowest).notes()
    assert [note.key for note in notes] == list(range(lowest, lowest + 16))
    assert all(1 <= note.velocity <= 127 for note in notes)
    assert len({note.velocity for note in notes if note.split == "train"}) == 5
    assert len({note.held for note in notes if note.split == "test"}) == 3


def test_captions_name_the_sound_with_its_article():
    oboe, waves = SoundClass("oboe", 68, 60), SoundClass("sea waves", 122, 60)
    assert "the sound of an oboe" in oboe.captions(oboe.notes()[0])
    assert oboe.captions(oboe.notes()[0])[-1] == "an oboe at a low pitch"
    assert waves.captions(waves.notes()[15])[-1] == "sea waves at a high pitch"


def test_an_ogg_stream_keeps_its_sound_under_another_serial():
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)
    soundfile.write(buffer, noise, 16_000, format="OGG", subtype="VORBIS")
    renamed = with_serial(buffer.getvalue(), 7)
    assert renamed[14:18] == b"\x07\x00\x00\x00"
    assert renamed != with_serial(renamed, 8)
    assert with_serial(with_serial(renamed, 8), 7) == renamed
    before, after = (soundfile.read(io.BytesIO(s))[0] for s in (buffer.getvalue(), renamed))
    np.testing.assert_array_equal(before, after)


def test_the_checksum_is_the_encoders_own():
    """Setting the serial that is there already changes nothing."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.linspace(-0.5, 0.5, 8000), 16_000, format="OGG", subtype="OPUS")
    stream = buffer.getvalue()
    assert with_serial(stream, int.from_bytes(stream[14:18], "little")) == stream


@pytest.mark.parametrize(
    "stream", [b"RIFF", b"OggS" + bytes(23), b"OggS" + bytes(22) + b"\x01\x05"]
)
def test_what_is_no_whole_ogg_stream_is_refused(stream):
    with pytest.raises(ValueError, match="Ogg page at byte"):
        with_serial(stream + b"x", 0)


def test_the_licences_name_the_author_and_the_package():
    section = licence_section("fluid-soundfont-gm=3.1-5.3")
    assert "`fluid-soundfont-gm=3.1-5.3`" in section
    assert "768 single notes of 48 programs" in section
    assert "2000-2002, 2008 Frank Wen" in section

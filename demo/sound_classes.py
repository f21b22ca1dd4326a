"""Which sounds the pack holds: 48 General MIDI programs, their notes, captions and split."""

from dataclasses import dataclass
from typing import Literal

_KEYS = 16
"""Neighbouring keys a class is played on, one clip each."""
_TEST_EVERY, _TEST_PLACE = 4, 2
"""Keys 2, 6, 10 and 14 of a class are held out."""
_TRAIN_VELOCITIES = (50, 65, 80, 95, 110)
_TEST_VELOCITIES = (57, 72, 87, 102)
_HELD = (1.1, 1.25, 1.4)
"""Seconds a key is held."""
_LOW, _HIGH = 5, 11
"""Keys of a class below and from which a note counts as low and as high."""
_TEMPLATES = ("the sound of {}", "a recording of {}", "{}", "this is how {} sounds")
_NO_ARTICLE = {"applause", "bagpipes", "castanets", "plucked strings", "sea waves", "tubular bells"}


@dataclass(frozen=True)
class Note:
    """One key struck once."""

    key: int
    """MIDI key number; 60 is middle C."""
    velocity: int
    """1..127: how hard."""
    held: float
    """Seconds until it is let go."""
    split: Literal["train", "test"]


@dataclass(frozen=True)
class SoundClass:
    """A program of the soundfont and where on the keyboard it is at home."""

    label: str
    program: int
    """0..127: General MIDI's number, counted from 0."""
    lowest: int
    """Lowest of its MIDI keys."""
    bank: int = 0
    """Above 0: Roland GS's variations of the programs."""

    def notes(self) -> list[Note]:
        """Sixteen keys a semitone apart; train and test share neither a key nor a velocity."""
        return [self._note(offset) for offset in range(_KEYS)]

    def captions(self, note: Note) -> list[str]:
        """What the clip of one of its notes may be called."""
        subject = self.label if self.label in _NO_ARTICLE else _with_article(self.label)
        offset = note.key - self.lowest
        height = "low" if offset < _LOW else "high" if offset >= _HIGH else "medium"
        filled = [template.format(subject) for template in _TEMPLATES]
        return [*filled, f"{subject} at a {height} pitch"]

    def _note(self, offset: int) -> Note:
        key, held = self.lowest + offset, _HELD[offset % len(_HELD)]
        if offset % _TEST_EVERY == _TEST_PLACE:
            return Note(key, _TEST_VELOCITIES[offset // _TEST_EVERY], held, "test")
        return Note(key, _TRAIN_VELOCITIES[offset % len(_TRAIN_VELOCITIES)], held, "train")


SOUND_CLASSES = (
    SoundClass("accordion", 21, 60),
    SoundClass("acoustic guitar", 25, 45),
    SoundClass("applause", 126, 52),
    SoundClass("bagpipes", 109, 58),
    SoundClass("banjo", 105, 55),
    SoundClass("bass drum", 116, 36, bank=8),
    SoundClass("bass guitar", 33, 28),
    SoundClass("bassoon", 70, 36),
    SoundClass("bird tweet", 123, 55),
    SoundClass("blown bottle", 76, 60),
    SoundClass("breath", 121, 52),
    SoundClass("castanets", 115, 65, bank=8),
    SoundClass("cello", 42, 40),
    SoundClass("choir", 52, 55),
    SoundClass("church bell", 14, 48, bank=8),
    SoundClass("church organ", 19, 48),
    SoundClass("clarinet", 71, 55),
    SoundClass("double bass", 43, 28),
    SoundClass("electric guitar", 30, 45),
    SoundClass("flute", 73, 72),
    SoundClass("french horn", 60, 48),
    SoundClass("glockenspiel", 9, 79),
    SoundClass("gunshot", 127, 52),
    SoundClass("harp", 46, 55),
    SoundClass("harpsichord", 6, 53),
    SoundClass("helicopter", 125, 52),
    SoundClass("kettledrum", 47, 38),
    SoundClass("marimba", 12, 52),
    SoundClass("music box", 10, 72),
    SoundClass("oboe", 68, 65),
    SoundClass("piano", 0, 48),
    SoundClass("plucked strings", 45, 52),
    SoundClass("saxophone", 66, 49),
    SoundClass("sea waves", 122, 52),
    SoundClass("sitar", 104, 48),
    SoundClass("steel drum", 114, 60),
    SoundClass("synthesizer", 81, 60),
    SoundClass("telephone", 124, 55),
    SoundClass("tom-tom", 117, 48),
    SoundClass("trombone", 57, 45),
    SoundClass("trumpet", 56, 60),
    SoundClass("tuba", 58, 29),
    SoundClass("tubular bells", 14, 60),
    SoundClass("vibraphone", 11, 60),
    SoundClass("violin", 40, 67),
    SoundClass("whistle", 78, 79),
    SoundClass("wood block", 115, 65),
    SoundClass("xylophone", 13, 72),
)


def sound_labels() -> list[str]:
    """The `sounds` entry of classes.json."""
    return [sound.label for sound in SOUND_CLASSES]


def _with_article(label: str) -> str:
    return f"{'an' if label[0] in 'aeiou' else 'a'} {label}"

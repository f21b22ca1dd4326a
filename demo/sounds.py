"""Render the pack's sounds: clips of single notes, `<id>.ogg` in sounds.zip, and sounds.jsonl.

    python -m demo.sounds FluidR3_GM.sf2 demo/pack     # the sounds alone, in a minute

The clips are Opus in Ogg: Vorbis puts 4 KB of code books into each file.
"""

import argparse
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from demo.archives import write_zip
from demo.ogg import with_serial
from demo.sound_classes import SOUND_CLASSES, Note, SoundClass
from demo.soundfont import RATE, Soundfont
from pipeline.errors import UserError, exit_on_user_error

_PEAK = 0.7
"""Of full scale; Opus overshoots."""
_QUIETEST = 0.002
"""Peak below which a note counts as silent."""
_FADE = 0.05
"""Seconds."""
_COMPRESSION = 0.957
"""On libsndfile's scale, where 0 is 256 kbit/s and 1 is 6: about 17."""
_LICENCE = """## Sounds

{count} single notes of {classes} programs of the Fluid (R3) soundfont, FluidR3_GM.sf2, in Debian's
`{package}`; played by FluidSynth, brought to one peak level, reduced to 16 kHz, encoded.
MIT License, whose text stands above under Pictures, with these lines of copyright:
Copyright (c) 2000-2002, 2008 Frank Wen; Copyright (c) 2008 Toby Smithe.
"I hereby release Fluid under the MIT license, as described in COPYING." (Frank Wen, README)

Its README calls it "constructed in part from samples found in the public domain that I edited/
cleaned/remixed/programmed and largely from recordings of my own and in conjunction with the people
below who helped along the way": Suren M. Seron, Scott Hanan, Steve Aupperle, Chris Gillman,
Alex Taubr, Chris Prola, Andrew Klenk, Winfried Hubbe, Dylan, Tim, Gort, Uros Katic and Ethan Winer
(http://www.ethanwiner.com). Nothing of the Debian packaging, which is GPL-2+, is in the pack.
"""


def main() -> None:
    """Command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("soundfont", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    print(build_sounds(arguments.soundfont, arguments.out))


def build_sounds(soundfont: Path, out: Path) -> dict[str, Any]:
    """Write sounds.zip and sounds.jsonl to `out`; what build.json says of them."""
    font = Soundfont(soundfont)
    records, clips = [], {}
    for sound in SOUND_CLASSES:
        for note in sound.notes():
            record = _record(sound, note, soundfont.name)
            records.append(record)
            clips[f"{record['id']}.ogg"] = _encoded(_levelled(font.play(sound, note), record["id"]))
    records.sort(key=lambda record: record["id"])
    (out / "sounds.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    write_zip(out / "sounds.zip", clips, False)
    return {"sounds": len(records)}


def licence_section(package: str) -> str:
    """Markdown for LICENCES.md, after the section Pictures, which has the MIT License's text."""
    count = sum(len(sound.notes()) for sound in SOUND_CLASSES)
    return _LICENCE.format(count=count, classes=len(SOUND_CLASSES), package=package)


def _record(sound: SoundClass, note: Note, source: str) -> dict[str, Any]:
    return {
        "id": f"{sound.label.replace(' ', '-')}-{note.key:03}-{note.velocity:03}",
        "class": sound.label,
        "split": note.split,
        "bank": sound.bank,
        "program": sound.program,
        "pitch": note.key,
        "velocity": note.velocity,
        "creator": "Frank Wen",
        "licence": "MIT",
        "source": f"{source}#{sound.bank}:{sound.program}",
        "captions": sound.captions(note),
    }


def _levelled(samples: np.ndarray, key: str) -> np.ndarray:
    """Of the common peak, faded out at the end."""
    peak = np.abs(samples).max()
    if peak < _QUIETEST:
        raise UserError(f"{key}: silent, peak {peak:.5f}; choose other keys in sound_classes.py")
    faded = samples * (_PEAK / peak)
    faded[-round(_FADE * RATE) :] *= np.linspace(1, 0, round(_FADE * RATE))
    return faded


def _encoded(samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(
        buffer, samples, RATE, format="OGG", subtype="OPUS", compression_level=_COMPRESSION
    )
    return with_serial(buffer.getvalue(), 0)


if __name__ == "__main__":
    exit_on_user_error(main)

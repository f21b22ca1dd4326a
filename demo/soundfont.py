"""Play single notes of a soundfont with FluidSynth, without its reverb and chorus.

Takes Debian's `libfluidsynth3` and the `demo` extra; nothing but rebuilding the pack does.
"""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import resample_poly

from demo.sound_classes import Note, SoundClass
from pipeline.errors import UserError

RATE = 16_000
"""Hz of the clips."""
_OVERSAMPLED = 3
"""FluidSynth transposes without a filter, so it plays at 48 kHz and the result is filtered."""
_GAIN = 1.0
_RELEASE = 0.4
"""Seconds recorded after the key is let go."""
_FLUSHED = 0.1
"""Seconds thrown away between two notes."""


class Soundfont:
    """An opened `.sf2` file."""

    def __init__(self, path: Path) -> None:
        settings = {"synth.reverb.active": 0, "synth.chorus.active": 0}
        self._synth = _fluidsynth().Synth(_GAIN, float(RATE * _OVERSAMPLED), **settings)
        self._font = self._synth.sfload(str(path))
        if self._font < 0:
            raise UserError(f"{path}: FluidSynth cannot read this soundfont")

    def play(self, sound: SoundClass, note: Note) -> np.ndarray:
        """Samples float64 [seconds * RATE] of one channel, as loud as FluidSynth makes them.

        Raises:
            UserError: the soundfont lacks the program.
        """
        self._synth.system_reset()
        self._record(_FLUSHED)
        if self._synth.program_select(0, self._font, sound.bank, sound.program) < 0:
            raise UserError(f"the soundfont lacks bank {sound.bank}, program {sound.program}")
        self._synth.noteon(0, note.key, note.velocity)
        held = self._record(note.held)
        self._synth.noteoff(0, note.key)
        return resample_poly(np.concatenate([held, self._record(_RELEASE)]), 1, _OVERSAMPLED)

    def _record(self, seconds: float) -> np.ndarray:
        stereo = self._synth.get_samples(round(seconds * RATE) * _OVERSAMPLED)
        return stereo.reshape(-1, 2).mean(axis=1) / 32768


def _fluidsynth() -> Any:
    """Imported late: only a rebuild takes it."""
    try:
        import fluidsynth
    except ImportError as error:
        raise UserError(
            f"FluidSynth: {error}; run `apt-get install libfluidsynth3` and "
            "`pip install -e .[demo]`"
        ) from None
    return fluidsynth

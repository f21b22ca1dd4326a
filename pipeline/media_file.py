"""A media file that is no member of a shard: read within bounds, and decoded as a member is."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.decoding.audio import decode_audio
from pipeline.decoding.depth import DepthSensor, decode_depth
from pipeline.decoding.image import decode_image
from pipeline.decoding.points import decode_points
from pipeline.decoding.video import decode_video
from pipeline.errors import UnreadableSample, UserError
from pipeline.media_kind import HEAD, is_container, known_by_head, modality_of
from pipeline.small_files import open_regular, read_json

LARGEST = 1 << 31
"""Bytes of a file: an hour of 24-bit stereo at 96 kHz is less."""
_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "image": decode_image,
    "video": decode_video,
    "points": decode_points,
    "audio": decode_audio,
}


@dataclass(frozen=True)
class MediaFile:
    """The bytes of a file, and what they are."""

    modality: str
    data: bytes
    path: Path | None = None
    """Where they lie, if they do: beside it may be the JSON of a depth map's sensor."""

    def decoded(self, sensor: DepthSensor | None = None) -> Any:
        """As `pipeline.samples.decode_member` gives it.

        Args:
            sensor: of a depth map; by default what the JSON of the file's name beside it says.

        Raises:
            UnreadableSample: damaged, out of bounds, or a depth map of an unknown sensor.
        """
        if self.modality == "depth":
            return decode_depth(self.data, sensor or self._sensor_beside())
        if self.modality == "audio" and is_container(self.data[:HEAD]):
            raise UnreadableSample(
                "a sound in an MP4, AVI or Matroska; expected FLAC, OGG or WAV, which "
                "`ffmpeg -i FILE sound.flac` makes of it"
            )
        return _DECODERS[self.modality](self.data)

    def _sensor_beside(self) -> DepthSensor:
        beside = None if self.path is None else self.path.with_suffix(".json")
        example = '{"baseline": METRES, "fx": PIXELS, "encoding": "millimetres"}'
        try:
            if beside is not None:
                return read_json(beside, DepthSensor, f"expected {example}")
        except FileNotFoundError:
            pass
        except UserError as error:
            raise UnreadableSample(str(error)) from None
        raise UnreadableSample(
            "a 16-bit grey PNG is a depth map, whose sensor is unknown: give its baseline and fx, "
            f"or put them into {beside.name if beside else 'a JSON beside the file'} as {example}; "
            "or say that it is an image"
        )


def read_media(path: Path, modality: str | None = None) -> MediaFile:
    """Read a file; what no decoder takes is refused by its first bytes.

    Args:
        path: of it.
        modality: what it is to be read as; by default what its content says.

    Raises:
        UnreadableSample: not there, no regular file, too large, or no media file.
    """
    try:
        with open_regular(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            known_by_head(file.read(HEAD))
            if size > LARGEST:
                raise UnreadableSample(f"{size:,} bytes; the limit is {LARGEST:,}")
            file.seek(0)
            data = file.read()
    except OSError as error:
        why = error.strerror or str(error)
        raise UnreadableSample(f"{why}; name the files in it" if path.is_dir() else why) from None
    return MediaFile(modality or modality_of(data), data, path)

"""Sounds and clips of a download as members of a sample.

A FLAC, OGG or WAV stays as it is, told by its content, whatever its name says; of anything else the
sound is decoded to FLAC. A clip stays as it is too: an MP4, AVI, Matroska or WebM under the name
`video.mp4`, which `pipeline.decoding.video` reads by its content.
"""

from contextlib import suppress
from pathlib import Path

from PIL import Image

from pipeline.datasets.reading.files import read_file
from pipeline.decoding.video import decode_video
from pipeline.errors import UnreadableSample
from pipeline.transcoding.image import jpeg
from pipeline.transcoding.sound_track import sound_track

CLIPS = (".mp4", ".mkv", ".webm", ".avi")
SOUNDS = (".flac", ".wav", ".ogg", ".opus", ".m4a", ".mp3", ".aac", *CLIPS)
"""Endings of what has a sound, the best of a clip that lies there in several first."""


def sound(path: Path) -> dict[str, bytes]:
    """`audio.*` of a sound or clip, and of a clip with pictures `image.jpg`, its middle frame.

    Raises:
        UnreadableSample: see `read_file` and `sound_track`.
    """
    data = read_file(path)
    members = sound_member(data)
    if path.suffix.lower() in CLIPS:
        with suppress(UnreadableSample):  # .webm and .mp4 may be all sound
            members["image.jpg"] = middle_frame(data)
    return members


def sound_and_frame(path: Path) -> dict[str, bytes]:
    """`audio.*` of a clip and `image.jpg`, its middle frame.

    Raises:
        UnreadableSample: one of them cannot be had.
    """
    data = read_file(path)
    return {**sound_member(data), "image.jpg": middle_frame(data)}


def clip(path: Path) -> dict[str, bytes]:
    """`video.mp4` of a clip in any container.

    Raises:
        UnreadableSample: see `read_file`.
    """
    return {"video.mp4": read_file(path)}


def middle_frame(data: bytes) -> bytes:
    """The middle frame of a clip as a JPEG.

    Raises:
        UnreadableSample: see `decode_video`.
    """
    video = decode_video(data)
    middle = video.frames // 2
    return jpeg(Image.fromarray(video.decode({middle})[middle]))


def sound_member(data: bytes) -> dict[str, bytes]:
    """A FLAC, OGG or WAV as it is, told by its content; of anything else the decoded sound.

    Raises:
        UnreadableSample: see `sound_track`.
    """
    if data[:4] == b"fLaC":
        return {"audio.flac": data}
    if data[:4] == b"OggS":
        return {"audio.ogg": data}
    if data[:4] in (b"RIFF", b"RIFX", b"RF64") and data[8:12] == b"WAVE":
        return {"audio.wav": data}
    return {"audio.flac": sound_track(data)}

"""Media stored so that views of them are cheap, as a source's options say; done once, at its
preparation.

Depth maps have no option: they lose nothing, so they are always stored anew.
"""

from collections.abc import Callable

from pipeline.config import SourceConfig
from pipeline.samples import AUDIO_MEMBERS, IMAGE_MEMBERS
from pipeline.transcoding.audio import stored_sound
from pipeline.transcoding.depth import stored_depth
from pipeline.transcoding.image import stored_picture
from pipeline.transcoding.video import stored_clip

_FORMS: dict[str, tuple[tuple[str, ...], str, Callable[..., bytes | None]]] = {
    "image": (IMAGE_MEMBERS, "image.jpg", stored_picture),
    "video": (("video.mp4",), "video.mp4", stored_clip),
    "audio": (AUDIO_MEMBERS, "audio.flac", stored_sound),
    "depth": (("depth.png",), "depth.png", stored_depth),
}
"""Modality -> names of its member, the name of a stored one, and what stores it."""


def transcoded(sample: dict[str, bytes], source: SourceConfig) -> dict[str, bytes]:
    """Members of a checked sample as they are stored; the same object where all stays as it is.

    Raises:
        UnreadableSample: a damaged member.
    """
    if not source.options and source.modality != "depth":
        return sample
    names, name, stored = _FORMS[source.modality]
    data = stored(next(sample[member] for member in names if member in sample), **source.options)
    if data is None:
        return sample
    others = {member: content for member, content in sample.items() if member not in names}
    return {**others, name: data}

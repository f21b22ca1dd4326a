"""VGGSound's sounds: 10-second clips of YouTube videos in 309 classes.

    vggsound.csv                           id, first second, label, train or test; no header
    .../<id>_<first second, 6 digits>.mp4  anywhere below, as the tars unpack
or  .../<id>_<first second, 6 digits>.wav  or .flac, ...: the sound alone

From www.robots.ox.ac.uk/~vgg/data/vggsound; names of other download scripts: see
`pipeline.datasets.reading.youtube`. Beside its sound a sample of a clip has the middle frame, for
teachers of images; where a clip and its sound alone are there, the clip is read.
`pipeline.datasets.vggsound_video` reads the same clips as videos.
"""

from pathlib import Path

from pipeline.datasets import RawDataset
from pipeline.datasets.reading.media import CLIPS, SOUNDS, sound, sound_and_frame
from pipeline.datasets.reading.vggsound_clips import HOME, LICENCE, SIZE, listed
from pipeline.datasets.reading.youtube import ten_seconds

__all__ = ["HOME", "LICENCE", "SIZE", "read"]


def read(raw: Path, split: str) -> RawDataset:
    """List the clips of a split that are there, each for its sound."""
    return listed(raw, split, _sound, "audio", tuple(dict.fromkeys((*CLIPS, *SOUNDS))))


def _sound(path: Path) -> dict[str, bytes]:
    of_clip = path.suffix.lower() in CLIPS
    return ten_seconds(sound_and_frame(path) if of_clip else sound(path))

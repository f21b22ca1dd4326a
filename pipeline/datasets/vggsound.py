"""VGGSound's sounds: 10-second clips of YouTube videos in 309 classes.

    vggsound.csv                           id, first second, label, train or test; no header
    .../<id>_<first second, 6 digits>.mp4  anywhere below, as the tars unpack

From www.robots.ox.ac.uk/~vgg/data/vggsound; names of other download scripts: see
`pipeline.datasets.reading.youtube`. Beside its sound a sample has the middle frame of the clip, for
teachers of images. `pipeline.datasets.vggsound_video` reads the same clips as videos.
"""

from pathlib import Path

from pipeline.datasets import RawDataset
from pipeline.datasets.reading.media import sound_and_frame
from pipeline.datasets.reading.vggsound_clips import HOME, LICENCE, SIZE, listed
from pipeline.datasets.reading.youtube import ten_seconds

__all__ = ["HOME", "LICENCE", "SIZE", "read"]


def read(raw: Path, split: str) -> RawDataset:
    """List the clips of a split that are there, each for its sound."""
    return listed(raw, split, _sound, ("audio", "image"))


def _sound(path: Path) -> dict[str, bytes]:
    return ten_seconds(sound_and_frame(path))

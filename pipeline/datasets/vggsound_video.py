"""VGGSound's videos, each kept as it is.

    vggsound.csv                           id, first second, label, train or test; no header
    .../<id>_<first second, 6 digits>.mp4  anywhere below, as the tars unpack

Layout and clips are those of `pipeline.datasets.vggsound`.
"""

from pathlib import Path

from pipeline.datasets import RawDataset
from pipeline.datasets.reading.media import clip
from pipeline.datasets.reading.vggsound_clips import HOME, LICENCE, SIZE, listed

__all__ = ["HOME", "LICENCE", "SIZE", "read"]


def read(raw: Path, split: str) -> RawDataset:
    """List the clips of a split that are there."""
    return listed(raw, split, clip, "video")

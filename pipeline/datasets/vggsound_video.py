"""VGGSound's videos: layout and clips of `pipeline.datasets.vggsound`, each kept as it is."""

from pathlib import Path

from pipeline.datasets import RawDataset
from pipeline.datasets.reading.media import clip
from pipeline.datasets.reading.vggsound_clips import listed


def read(raw: Path, split: str) -> RawDataset:
    """List the clips of a split that are there."""
    return listed(raw, split, clip, ("video",))

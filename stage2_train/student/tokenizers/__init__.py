"""From a modality's batch to the frozen trunk's tokens; one line of registry a modality.

A tokenizer is a module whose forward(visual, x) gives [B, 1 + tokens, width]: a class token first,
positions and the trunk's `ln_pre` applied, ready for the first block.
"""

from collections.abc import Callable

from torch import Generator, nn

from pipeline.config.student import StudentConfig
from pipeline.openclip import OpenClip
from stage2_train.student.tokenizers.audio import AudioTokenizer
from stage2_train.student.tokenizers.depth import DepthTokenizer
from stage2_train.student.tokenizers.grouping import group_points
from stage2_train.student.tokenizers.image import ImageTokenizer
from stage2_train.student.tokenizers.mel import spectrogram
from stage2_train.student.tokenizers.points import PointsTokenizer
from stage2_train.student.tokenizers.video import VideoTokenizer

__all__ = ["TOKENIZERS", "group_points", "spectrogram"]


def _image(clip: OpenClip) -> ImageTokenizer:
    return ImageTokenizer(clip.mean, clip.std)


TOKENIZERS: dict[str, Callable[[OpenClip, StudentConfig, Generator], nn.Module]] = {
    "image": lambda clip, config, generator: _image(clip),
    "video": lambda clip, config, generator: VideoTokenizer(
        clip.model.visual, _image(clip), config.video
    ),
    "points": lambda clip, config, generator: PointsTokenizer(
        clip.model.visual, config.points, generator
    ),
    "depth": lambda clip, config, generator: DepthTokenizer(clip.model.visual, _image(clip)),
    "audio": lambda clip, config, generator: AudioTokenizer(
        clip.model.visual, config.audio, generator
    ),
}
"""Modality -> how its tokenizer is built for a frozen CLIP."""

"""Video views: Table 1's chain on 8 frames at stride 8, to the canonical uint8 [T, 3, S, S]."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.config.data import ViewsConfig
from pipeline.decoding.video import Video
from pipeline.views.boxes import ERASE, ERASE_TEXT, erase, sample_erase_boxes
from pipeline.views.rng import ViewRng
from pipeline.views.short_side import (
    SHORT_SIDE_CHAIN,
    Picture,
    ShortSideParams,
    apply_short_side,
    sample_short_side,
)

VIDEO_CHAIN = f"clip from a random start, {SHORT_SIDE_CHAIN}, {ERASE_TEXT} on all frames; v3"
PAIRED_VIDEO_CHAIN = f"clip at the audio window's place, {SHORT_SIDE_CHAIN}; v3"
"""The clip paired with audio: the last row of Table 1."""
CENTRE = 0.5


@dataclass(frozen=True)
class ClipParams(ShortSideParams):
    """Everything random in the view of a clip that is paired with audio."""

    start: float
    """Place of the clip, 0..1 of the frames it leaves over."""


@dataclass(frozen=True)
class VideoParams(ClipParams):
    """Everything random in a video view."""

    erase: bool
    erase_boxes: np.ndarray
    """[attempts, 4]: see `pipeline.views.boxes`."""


@dataclass(frozen=True)
class Frames:
    """What some views need of a clip."""

    count: int
    """Frames of the whole clip."""
    images: Mapping[int, Picture]
    """RGB frames [H, W, 3] by number."""


def sample_video(rng: ViewRng, sizes: ViewsConfig) -> VideoParams:
    """Draw the video chain."""
    return VideoParams(
        start=rng.uniform(),
        **vars(sample_short_side(rng, sizes.image_size)),
        erase=rng.chance(ERASE),
        erase_boxes=sample_erase_boxes(rng),
    )


def sample_paired_clip(rng: ViewRng, sizes: ViewsConfig) -> ClipParams:
    """Draw the chain of the clip paired with audio; it starts where the audio's window does."""
    start = sample_start(rng)
    return ClipParams(start=start, **vars(sample_short_side(rng, sizes.image_size)))


def sample_start(rng: ViewRng) -> float:
    """Draw the place in time, 0..1, that a view's audio and its paired clip share."""
    return rng.stream("start").uniform()


def gather_frames(video: Video, params: Sequence[object], sizes: ViewsConfig) -> Frames:
    """Decode, in one go, the frames that the views with these parameters consist of.

    Raises:
        UnreadableSample: one of them cannot be decoded.
    """
    wanted = {number for one in params for number in _numbers(video.frames, one, sizes)}
    return Frames(video.frames, video.pictures(wanted))


def apply_video(frames: Frames, params: object, sizes: ViewsConfig) -> np.ndarray:
    """The canonical view uint8 [T, 3, S, S]; pure."""
    clip = [frames.images[number] for number in _numbers(frames.count, params, sizes)]
    view = apply_short_side(clip, params, sizes.image_size)
    if isinstance(params, VideoParams) and params.erase:
        erase(view, params.erase_boxes)
    return view


def clip_numbers(count: int, start: float, frames: int, stride: int) -> list[int]:
    """Numbers of the frames in a clip: every `stride`-th from its start.

    Of a video too short for that, from its first frame on, the last one repeated.
    """
    spare = count - ((frames - 1) * stride + 1)
    first = int(start * (spare + 1)) if spare > 0 else 0
    return [min(first + stride * place, count - 1) for place in range(frames)]


def _numbers(count: int, params: object, sizes: ViewsConfig) -> list[int]:
    start = params.start if isinstance(params, ClipParams) else CENTRE
    return clip_numbers(count, start, sizes.video_frames, sizes.video_stride)

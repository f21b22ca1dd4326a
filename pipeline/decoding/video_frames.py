"""Decoded frames of a clip, as RGB: whole, or only the part that a view takes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from av.error import FFmpegError
from av.filter import Graph
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from pipeline.decoding.reasons import unreadable
from pipeline.errors import UnreadableSample

KEPT_PIXELS = 1280 * 720
"""Larger frames are shrunk to about as many when they are kept: 2.8 MB of RGB each."""
EXACT = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
"""swscale's C arithmetic, without which processors round differently."""
PLAIN = "yuv420p"
"""The format whose parts are converted alone."""
MARGIN = 4
"""Pixels around a part from which the colours at its edge are interpolated."""
ANY_TIME = Fraction(1, 25)
"""Of a filter that does not look at it."""
Box = tuple[int, int, int, int]
"""Top, left, height and width."""


@dataclass
class RgbConverter:
    """Converts the frames of one clip; what it has set up for one serves the next."""

    _reformatter: VideoReformatter = field(default_factory=VideoReformatter)
    _cropper: tuple[object, Graph] | None = None

    def whole(self, frame: VideoFrame) -> np.ndarray:
        """Uint8 [H, W, 3], upright, shrunk where the frame has more than `KEPT_PIXELS`."""
        shrink = min(1.0, (KEPT_PIXELS / (frame.width * frame.height)) ** 0.5)
        width, height = (max(1, round(side * shrink)) for side in (frame.width, frame.height))
        return _upright(self._rgb(frame, width, height), frame)

    def picture(self, frame: VideoFrame) -> "np.ndarray | UnconvertedFrame":
        """`whole`, or what gives parts of it: in a plain frame's even boxes the colours are
        interpolated as in all of it."""
        is_even = frame.width % 2 == 0 == frame.height % 2
        is_kept = frame.width * frame.height <= KEPT_PIXELS
        if frame.format.name == PLAIN and is_even and is_kept and not _matrix(frame):
            return UnconvertedFrame(frame, self.part)
        return self.whole(frame)

    def part(self, frame: VideoFrame, box: Box) -> np.ndarray:
        """Uint8 [height, width, 3] of a plain frame."""
        top, left, height, width = box
        rows, columns = _even(top, height, frame.height), _even(left, width, frame.width)
        cropped = self._cropped(frame, rows, columns)
        pixels = self._rgb(cropped, len(columns), len(rows))
        top, left = top - rows.start, left - columns.start
        return pixels[top : top + height, left : left + width]

    def _cropped(self, frame: VideoFrame, rows: range, columns: range) -> VideoFrame:
        wanted = (frame.width, frame.height, rows, columns)
        if self._cropper is None or self._cropper[0] != wanted:
            self._cropper = wanted, _cropper(frame, rows, columns)
        graph = self._cropper[1]
        graph.vpush(frame)
        return graph.vpull()

    def _rgb(self, frame: VideoFrame, width: int, height: int) -> np.ndarray:
        converted = self._reformatter.reformat(
            frame, width, height, "rgb24", interpolation=EXACT, threads=1
        )
        return converted.to_ndarray()


@dataclass(frozen=True)
class UnconvertedFrame:
    """A frame whose parts become RGB when they are asked for, as if by indexing all of it."""

    _frame: VideoFrame
    _part: Callable[[VideoFrame, Box], np.ndarray]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and the number of colours."""
        return self._frame.height, self._frame.width, 3

    def __getitem__(self, part: tuple[slice, slice]) -> np.ndarray:
        """Uint8 [rows, columns, 3].

        Raises:
            UnreadableSample: FFmpeg does not know how to convert it.
        """
        rows, columns = (range(side)[of] for side, of in zip(self.shape, part))
        with unreadable_if_damaged():
            return self._part(self._frame, (rows.start, columns.start, len(rows), len(columns)))


@contextmanager
def unreadable_if_damaged() -> Iterator[None]:
    """Damaged files make PyAV raise nearly anything; all of it is an `UnreadableSample`."""
    try:
        yield
    except UnreadableSample:
        raise
    except FFmpegError as error:
        raise UnreadableSample(
            f"video.mp4: damaged, or no MP4, AVI or Matroska ({error.strerror})"
        ) from None
    except Exception as error:
        raise unreadable("video.mp4", error) from None


def _cropper(frame: VideoFrame, rows: range, columns: range) -> Graph:
    """FFmpeg's filter: it copies nothing and keeps what the frame says of its colours."""
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=ANY_TIME
    )
    crop = graph.add("crop", f"{len(columns)}:{len(rows)}:{columns.start}:{rows.start}")
    graph.link_nodes(source, crop, graph.add("buffersink")).configure()
    return graph


def _even(start: int, length: int, side: int) -> range:
    """A stretch of a side with its margin, between even pixels."""
    first, last = max(0, start - MARGIN), min(side, start + length + MARGIN)
    return range(first - first % 2, last + last % 2)


def _matrix(frame: VideoFrame) -> SideData | None:
    matrix = frame.side_data.get("DISPLAYMATRIX")
    return matrix if isinstance(matrix, SideData) else None


def _upright(pixels: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """Pixels turned and mirrored as the track's display matrix says, by its signs."""
    matrix = _matrix(frame)
    if matrix is None:
        return pixels
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), np.int32).tolist()
    if abs(b) > abs(a):
        pixels, down, across = pixels.transpose(1, 0, 2), b, c
    else:
        down, across = d, a
    return np.ascontiguousarray(pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])

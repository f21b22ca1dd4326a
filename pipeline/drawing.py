"""Draws what a sample and its views look like, whatever the modality, with matplotlib."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.decoding.audio import Recording
from pipeline.decoding.depth import DISPARITY, Depth
from pipeline.decoding.resample import RATE
from pipeline.decoding.video import Video
from pipeline.spectrogram import log_mel
from pipeline.views import EVALUATION, View
from pipeline.views.audio import HOP, AudioView, apply_masks, apply_noise
from pipeline.views.points import SCALE, SHIFT

COLUMNS = 6
"""Pictures in a line; more views go on in the next."""
SIDE = 2.6
"""Inches of a picture."""
CAPTION = 0.55
"""Inches of the words under it."""
SHOWN_SECONDS = 60
"""Of a long recording only the beginning is drawn."""
VIEW_REACH = SCALE[1] + SHIFT
"""Half a picture's height: what a view of the unit sphere can reach along an axis."""
MASK = "tab:cyan"
"""Colour of what is masked in a spectrogram; magma has nothing near."""
STORED_FRAMES = 8
"""Frames drawn of a stored video, evenly spaced."""


class Drawable(Protocol):
    """A line of pictures: `pipeline.show.Row`."""

    @property
    def title(self) -> str:
        """Words at its left."""

    @property
    def stored(self) -> Any:
        """The decoded member."""

    @property
    def views(self) -> dict[int, View]:
        """Its views by number."""


@rc_context({"text.parse_math": False})  # a class may be called `$unclosed{`
def draw_rows(rows: Sequence[Drawable], title: str, out: Path) -> None:
    """Write one PNG: a line (or several) of pictures for each row."""
    lines = [(line, _height(row)) for row in rows for line in _lines(row)]
    heights = [SIDE * height + CAPTION for _, height in lines]
    figure = Figure(figsize=(SIDE * COLUMNS, sum(heights) + 0.4), dpi=100, layout="constrained")
    grid = figure.subplots(len(lines), COLUMNS, squeeze=False, height_ratios=heights)
    for axes, cell in zip(grid.flat, (cell for line, _ in lines for cell in line)):
        axes.set_xticks([])
        axes.set_yticks([])
        if cell is None:
            axes.set_axis_off()
            continue
        caption, drawn, stored = cell
        _draw(axes, drawn, stored)
        axes.set_xlabel(caption, fontsize=8, family="monospace")
    figure.suptitle(title, fontsize=11)
    figure.savefig(out, format="png")


Cell = tuple[str, Any, Any]


def _lines(row: Drawable) -> Iterator[list[Cell | None]]:
    """Captions and what is to be drawn, `COLUMNS` a line; None where a line has no more."""
    cells: list[Cell | None] = [(f"{row.title}\nstored: {_size(row.stored)}\n", row.stored, None)]
    for number, view in row.views.items():
        name = "evaluation" if number == EVALUATION else f"view {number}"
        digests = f"params  {view.params_digest:016x}\ncontent {view.content_digest:016x}"
        cells.append((f"{name}\n{digests}", view.array, row.stored))
    for start in range(0, len(cells), COLUMNS):
        line = cells[start : start + COLUMNS]
        yield [*line, *[None] * (COLUMNS - len(line))]


def _height(row: Drawable) -> float:
    """Height over width of a row's pictures."""
    return 0.5 if _is_cloud(row.stored) else 1.0


def _is_cloud(stored: Any) -> bool:
    return isinstance(stored, np.ndarray) and stored.ndim == 2


def _size(stored: Any) -> str:
    """A decoded member's size in words."""
    if isinstance(stored, Video):
        return f"{stored.frames} frames"
    if isinstance(stored, Depth):
        return f"{stored.raw.shape[1]} x {stored.raw.shape[0]}, {stored.encoding}"
    if isinstance(stored, Recording):
        return f"{stored.count / stored.rate:.2f} s at {stored.rate} Hz"
    if _is_cloud(stored):
        return f"{len(stored)} points"
    return f"{stored.shape[1]} x {stored.shape[0]} pixels"


def _draw(axes: Axes, drawn: Any, stored: Any) -> None:
    """Draw a decoded member, or a canonical view of it."""
    if isinstance(drawn, Video):
        _draw_frames(axes, _spread_frames(drawn))
    elif isinstance(drawn, Depth):
        _draw_disparity(axes, drawn.disparity(drawn.raw), drawn)
    elif isinstance(drawn, Recording):
        _draw_waveform(axes, drawn.read(0, min(drawn.length, SHOWN_SECONDS * RATE)))
    elif isinstance(drawn, AudioView):
        _draw_spectrogram(axes, drawn)
    elif isinstance(stored, Depth):
        _draw_disparity(axes, drawn[0], stored)
    elif stored is None and not _is_cloud(drawn):
        axes.imshow(drawn)
    elif drawn.dtype == np.uint8:
        frames = drawn if drawn.ndim == 4 else drawn[None]
        _draw_frames(axes, frames.transpose(0, 2, 3, 1))
    else:
        _draw_points(axes, drawn, stored)


def _spread_frames(video: Video) -> np.ndarray:
    numbers = np.linspace(0, video.frames - 1, STORED_FRAMES).round().astype(int).tolist()
    decoded = video.decode(numbers)
    return np.stack([decoded[number] for number in numbers])


def _draw_frames(axes: Axes, frames: np.ndarray) -> None:
    """Frames uint8 [T, H, W, 3] as tiles in reading order, a white line between them."""
    columns = int(np.ceil(len(frames) ** 0.5))
    lines = -(-len(frames) // columns)
    _, height, width, _ = frames.shape
    gap = width // 40 if len(frames) > 1 else 0
    canvas = np.full((lines * (height + gap) - gap, columns * (width + gap) - gap, 3), 255)
    for place, frame in enumerate(frames):
        top, left = place // columns * (height + gap), place % columns * (width + gap)
        canvas[top : top + height, left : left + width] = frame
    axes.imshow(canvas.astype(np.uint8))


def _draw_disparity(axes: Axes, disparity: np.ndarray, depth: Depth) -> None:
    """Near is bright; one scale for a map and its views, from its own readings without holes."""
    seen = depth.disparity(depth.raw[depth.raw > 0])
    high = min(float(np.quantile(seen, 0.99)) * 1.05, DISPARITY[1])
    picture = axes.imshow(disparity, cmap="magma", vmin=0, vmax=high, interpolation="nearest")
    bar = axes.inset_axes((1.02, 0, 0.04, 1))
    axes.figure.colorbar(picture, cax=bar)
    bar.tick_params(labelsize=6, pad=1)


def _draw_points(axes: Axes, cloud: np.ndarray, stored: Any) -> None:
    """A cloud from the front (x, y) and from the right (z, y), the nearest points last and dark.

    A stored cloud fills its picture; views have one scale, so that theirs and their shift show.
    """
    xyz, reach = cloud[:, :3], VIEW_REACH
    if stored is None:
        xyz = xyz - (xyz.max(axis=0) + xyz.min(axis=0)) / 2
        reach = float(np.abs(xyz).max()) * 1.05 or 1.0
    size = 4000 / max(len(xyz), 500)
    for shift, across, towards in ((-reach, xyz[:, 0], xyz[:, 2]), (reach, -xyz[:, 2], xyz[:, 0])):
        order = np.argsort(towards)
        colours = cloud[order, 3:6].clip(0, 1) if cloud.shape[1] == 6 else -towards[order]
        axes.scatter(
            across[order] + shift, xyz[order, 1], s=size, c=colours, cmap="viridis", linewidths=0
        )
    axes.axvline(0, color="0.8", linewidth=0.8)
    axes.set(xlim=(-2 * reach, 2 * reach), ylim=(-reach, reach), aspect="equal")


def _draw_waveform(axes: Axes, waveform: np.ndarray) -> None:
    axes.plot(np.arange(len(waveform)) / RATE, waveform, linewidth=0.3)
    axes.set(xlim=(0, len(waveform) / RATE), ylim=(-1, 1))
    axes.set_xticks([0, round(len(waveform) / RATE, 2)])
    axes.tick_params(labelsize=7)


def _draw_spectrogram(axes: Axes, view: AudioView) -> None:
    """Log-mel energies with noise, masks in a colour of their own; low pitches at the bottom."""
    clean = log_mel(torch.from_numpy(view.waveform)[None], "hamming")
    masked = apply_masks(torch.ones_like(clean), view) == 0
    standardised = (clean - clean.mean()) / clean.std().clamp(min=1e-3)
    shown = apply_noise(standardised.masked_fill(masked, torch.nan), view)
    colours = colormaps["magma"].with_extremes(bad=MASK)
    axes.imshow(shown.numpy().T, origin="lower", aspect="auto", cmap=colours, vmin=-2.5, vmax=2.5)
    axes.set_xticks([0, len(clean) - 1], ["0 s", f"{len(clean) * HOP / RATE:.1f} s"])
    axes.tick_params(labelsize=7)

"""Our views beside those of torchvision and torchaudio: what `benchmarks.views` measures."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import view_members as members
from benchmarks import view_peers as peers
from pipeline.blas import one_blas_thread
from pipeline.config import ViewsConfig
from pipeline.samples import decode_member
from pipeline.views import ViewMaker, chain_for
from stage1_extract.teachers.filterbank import view_bank


@dataclass(frozen=True)
class Contest:
    """One row of the table."""

    name: str
    source: str
    model: str
    sample: dict[str, bytes]
    peer: Callable[[dict[str, bytes]], object]
    finish: Callable[[Any], object] = lambda view: view
    """What brings our view to where the peer's ends."""
    views: int = 1
    """Views of one decode on our side, as stage 1 makes them; the peer decodes for each."""


def measure(rounds: int) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    one_blas_thread()
    torch.manual_seed(0)
    table = Table(title="views/s on one core, from bytes")
    for column in ("modality", "ours", "torchvision / torchaudio", "ratio"):
        table.add_column(column, justify="left" if column == "modality" else "right")
    for contest in contests():
        ours, theirs = race(contest, rounds)
        table.add_row(contest.name, f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.2f}")
    Console().print(table)


def contests() -> list[Contest]:
    """Every modality, and what is paired with it."""
    image, depth = {"image.jpg": members.jpeg()}, members.depth()
    one, ten = members.clip(keyframes=250), members.clip(keyframes=25)
    sound, cloud = {"audio.flac": members.sound()}, {"points.npy": members.cloud()}
    return [
        Contest("image", "image", "image", image, peers.image),
        Contest("video, keyframe every 10 s", "video", "video", one, peers.video),
        Contest("video, keyframe every 1 s", "video", "video", ten, peers.video),
        Contest("video, 4 views of a decode", "video", "video", one, peers.video, views=4),
        Contest("points", "points", "points", cloud, peers.points),
        Contest("depth", "depth", "depth", depth, peers.depth),
        Contest(
            "audio, to masked spectrogram", "audio", "audio", sound, peers.audio,
            lambda view: view_bank(view, 512, 128),
        ),
        Contest("image paired with points", "points", "image", image, peers.cropped_image),
        Contest("image paired with audio", "audio", "image", image, peers.short_side_image),
    ]  # fmt: skip


def race(contest: Contest, rounds: int) -> tuple[float, float]:
    """Views per second of our side and the peer's, each from its best round."""
    maker = ViewMaker(chain_for(contest.source, contest.model), 0, ViewsConfig())

    def ours(number: int) -> None:
        decoded = decode_member(contest.sample, maker.chain.member)
        for view in maker.views(decoded, f"key-{number}", range(contest.views)):
            contest.finish(view.array)

    def theirs(number: int) -> None:
        for _ in range(contest.views):
            contest.peer(contest.sample)

    count = max(20, int(0.6 / seconds(ours, 5)) * 5)
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for side, make in enumerate((ours, theirs)):
            best[side] = min(best[side], seconds(make, count))
    return contest.views * count / best[0], contest.views * count / best[1]


def seconds(make: Callable[[int], None], count: int) -> float:
    """Processor seconds of `count` samples."""
    start = time.process_time()
    for number in range(count):
        make(number)
    return time.process_time() - start

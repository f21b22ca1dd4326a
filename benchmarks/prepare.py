"""What preparation costs, what its options are worth to views, and two workers over one.

    python -m benchmarks.prepare

First, views of one core from bytes, before and after a source's options: 10 s of 340 x 256 H.264
with FFmpeg's default keyframes (8 frames at stride 8), 10 s of 44.1 kHz FLAC, a 1000 x 750 JPEG;
and depth maps as PNGs that are packed less. Time is this process's own on one thread, rounds of
both sides alternate, and the best of each counts. Then conversion beside plainly tarring the same
files, and two dask workers over one (wall time; the machine needs two idle cores), whose tars are
compared with those of one process.
"""

import io
import json
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks import view_members
from pipeline.blas import one_blas_thread
from pipeline.config import Params, SourceConfig, ViewsConfig, load_params
from pipeline.errors import exit_on_user_error
from pipeline.preparation import prepare, read_raw
from pipeline.preparation.making import Makers, in_this_process, in_workers
from pipeline.samples import decode_member
from pipeline.shards import write_shard
from pipeline.transcoding import transcoded
from pipeline.views import ViewMaker, chain_for
from pipeline.workers.connection import local_client
from pipeline.workers.job import Job
from pipeline.workers.pool import WorkerPool

Sample = dict[str, bytes]
ROUNDS = 5
VIEWS = 40
"""Of a round."""
OPTIONS: dict[str, dict[str, int]] = {
    "video": {"short_side": 256, "keyframe_every": 8},
    "audio": {"sample_rate": 16000},
    "image": {"short_side": 256},
}
TO_REACH = {"video": "2.5", "audio": "4", "image": ""}
COPIES = {"video": 48, "audio": 96}
"""Samples of a conversion."""
SOURCES = {"video": "turntables", "audio": "sounds"}
"""Of params.yaml, with converters that read what is made here."""


def main() -> None:
    """Measure, and print."""
    torch.set_num_threads(1)
    one_blas_thread()
    console = Console()
    console.print(view_table())
    console.print(depth_table())
    with tempfile.TemporaryDirectory() as folder:
        console.print(conversion_table(Path(folder)))


def source(modality: str) -> SourceConfig:
    """A source with the options that are measured."""
    return SourceConfig(modality=modality, converter="made", raw="made", **OPTIONS[modality])


def sample(modality: str) -> Sample:
    """A made sample."""
    if modality == "video":
        return view_members.clip(keyframes=250, size=(340, 256))
    if modality == "audio":
        return {"audio.flac": view_members.sound()}
    return {"image.jpg": view_members.jpeg(1000, 750)}


def view_table() -> Table:
    """Views per second of samples as they come and as they are stored."""
    table = Table(title="views/s on one core, from bytes")
    for column in ("modality", "as it comes", "stored", "ratio", "to reach", "bytes"):
        table.add_column(column, justify="left" if column == "modality" else "right")
    for modality in OPTIONS:
        before = sample(modality)
        after = transcoded(before, source(modality))
        maker = ViewMaker(chain_for(modality, modality), 0, ViewsConfig())
        slow, fast = race([partial(views, maker, each) for each in (before, after)], VIEWS)
        size = f"{sum(map(len, after.values())) / sum(map(len, before.values())):.2f}"
        rates = f"{slow:.1f}", f"{fast:.1f}", f"{fast / slow:.2f}"
        table.add_row(modality, *rates, TO_REACH[modality], size)
    return table


def depth_table() -> Table:
    """Decoding of depth maps whose PNG is packed by other levels: why that is no option."""
    members = view_members.depth()
    pixels = Image.open(io.BytesIO(members["depth.png"]))
    table = Table(title="depth maps of 640 x 480 decoded/s")
    for column in ("PNG level", "decoded/s", "bytes"):
        table.add_column(column, justify="right")
    levels = (6, 1, 0)
    packed = [{**members, "depth.png": _png(pixels, level)} for level in levels]
    rates = race([partial(_decode_depth, each) for each in packed], VIEWS)
    for level, rate, each in zip(levels, rates, packed):
        table.add_row(str(level), f"{rate:.1f}", f"{len(each['depth.png']):,}")
    return table


def conversion_table(folder: Path) -> Table:
    """Samples per second of conversions, beside plain tars and in workers."""
    table = Table(title="conversion, samples/s")
    columns = ("modality", "plain tar", "checked", "stored", "1 worker", "2 workers", "ratio")
    for column in columns:
        table.add_column(column, justify="left" if column == "modality" else "right")
    for modality, copies in COPIES.items():
        raw = made_raw(folder / modality, modality, copies)
        plain = _params(folder, modality, {})
        stored = _params(folder, modality, OPTIONS[modality])
        rates = [
            copies / seconds(partial(plain_tar, raw, plain, modality)),
            copies / seconds(partial(_convert, plain, modality, raw, in_this_process)),
            copies / seconds(partial(_convert, stored, modality, raw, in_this_process)),
        ]
        before = _tars(stored, modality)
        rates += [copies / _worker_seconds(stored, modality, raw, count) for count in (1, 2)]
        same = "" if _tars(stored, modality) == before else " DIFFERENT TARS"
        shown = [f"{rate:.1f}" for rate in rates]
        table.add_row(modality, *shown, f"{rates[4] / rates[3]:.2f}{same}")
    return table


def views(maker: ViewMaker, members: Sample, number: int) -> None:
    """Decode a sample, and make one view of it."""
    decoded = decode_member(members, maker.chain.member)
    for view in maker.views(decoded, f"key-{number}", range(1)):
        assert view.array is not None


def race(sides: list[Callable[[int], None]], count: int) -> list[float]:
    """Runs per processor second of each side, from its best round."""
    best = [float("inf")] * len(sides)
    for _ in range(ROUNDS):
        for place, side in enumerate(sides):
            start = time.process_time()
            for number in range(count):
                side(number)
            best[place] = min(best[place], time.process_time() - start)
    return [count / each for each in best]


def seconds(run: Callable[[], object]) -> float:
    """Wall seconds."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def made_raw(raw: Path, modality: str, copies: int) -> Path:
    """The embedded pack's layout, with one sample over and over under many keys."""
    raw.mkdir()
    (member,) = sample(modality).values()
    part, zipped, suffix = (
        ("objects", "clips", "mp4") if modality == "video" else ("sounds", "sounds", "ogg")
    )
    with zipfile.ZipFile(raw / f"{zipped}.zip", "w") as file:
        for number in range(copies):
            file.writestr(f"{number:04d}.{suffix}", member)
    lines = [
        {"id": f"{number:04d}", "class": "made", "captions": ["made"], "split": "train"}
        for number in range(copies)
    ]
    (raw / f"{part}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (raw / "classes.json").write_text(json.dumps({part: ["made"]}))
    return raw


def plain_tar(raw: Path, params: Params, modality: str) -> None:
    """The same members into tars of the same size, nothing looked at."""
    name = SOURCES[modality]
    room = params.sources[name].samples_per_shard
    items = read_raw(params.sources[name], raw, "train").items
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, len(items), room):
            samples = [(item.key, item.read()) for item in items[start : start + room]]
            write_shard(Path(folder) / f"{start}.tar", samples)


def _params(folder: Path, modality: str, options: dict[str, int]) -> Params:
    params = load_params()
    name = SOURCES[modality]
    changed = replace(params.sources[name], samples_per_shard=COPIES[modality] // 8, **options)
    return replace(params, shards=str(folder / "shards"), sources={**params.sources, name: changed})


def _convert(params: Params, modality: str, raw: Path, makers: Makers) -> None:
    prepare(params, SOURCES[modality], "train", raw, makers)


def _worker_seconds(params: Params, modality: str, raw: Path, count: int) -> float:
    """Of the second run: in the first the workers import."""
    with local_client(count) as client:
        makers = partial(in_workers, WorkerPool(client, Job(params)))
        run = partial(_convert, params, modality, raw, makers)
        run()
        return seconds(run)


def _tars(params: Params, modality: str) -> dict[str, bytes]:
    folder = Path(params.shards) / SOURCES[modality] / "train"
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def _png(pixels: Image.Image, level: int) -> bytes:
    file = io.BytesIO()
    pixels.save(file, "PNG", compress_level=level)
    return file.getvalue()


def _decode_depth(members: Sample, number: int) -> None:
    decode_member(members, "depth")


if __name__ == "__main__":
    exit_on_user_error(main)

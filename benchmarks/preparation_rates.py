"""Conversions and the views of what they store: what `benchmarks.prepare` measures."""

import json
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import view_members
from pipeline.blas import one_blas_thread
from pipeline.config import Params, SourceConfig, ViewsConfig, load_params
from pipeline.config.data import Modality
from pipeline.preparation import prepare, read_raw
from pipeline.preparation.executors import Executor, in_this_process, in_workers
from pipeline.preparation.shard_task import ShardDone, ShardTask
from pipeline.samples import decode_member
from pipeline.shards import write_shard
from pipeline.transcoding import transcoded
from pipeline.views import ViewMaker, chain_for
from pipeline.workers.connection import local_client
from pipeline.workers.job import Job
from pipeline.workers.pool import WorkerPool

Sample = dict[str, bytes]
ROUNDS = 3
SECONDS = 0.5
"""Of one side in a round, and at least eight samples."""
SAMPLES: dict[str, tuple[Modality, Callable[[], Sample]]] = {
    "video, 340 x 256": ("video", partial(view_members.clip, 250, (340, 256))),
    "video, 1280 x 720": ("video", partial(view_members.clip, 250, (1280, 720))),
    "audio": ("audio", lambda: {"audio.flac": view_members.sound()}),
    "image": ("image", lambda: {"image.jpg": view_members.jpeg(1000, 750)}),
    "depth": ("depth", view_members.depth),
}
"""Kind -> modality, and what makes one."""
OPTIONS: dict[Modality, dict[str, int]] = {
    "video": {"short_side": 256, "keyframe_every": 24},
    "audio": {"sample_rate": 16000},
    "image": {"short_side": 256},
    "depth": {},
}
TO_REACH = {"video, 340 x 256": "2.5", "audio": "4"}
COPIES: dict[Modality, int] = {"video": 32, "audio": 768}
"""Samples of a conversion: with one worker 10 s or more."""
TARS = 32
"""Of a conversion, so that the end, where one worker has none left, is short."""
SOURCES = {"video": "turntables", "audio": "sounds"}
"""Of params.yaml, with converters that read what is made here."""
PACKED = {
    "video": ("video, 340 x 256", "objects", "clips", "mp4"),
    "audio": ("audio", "sounds", "sounds", "ogg"),
}
"""Kind of sample, and where the embedded pack has such: its lines, its zip, the files' suffix."""


def measure() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    one_blas_thread()
    console = Console()
    console.print(view_table())
    with tempfile.TemporaryDirectory() as folder:
        console.print(conversion_table(Path(folder)))


def source(modality: Modality) -> SourceConfig:
    """A source with the options that are measured."""
    return SourceConfig(modality=modality, converter="made", raw="made", **OPTIONS[modality])


def view_table() -> Table:
    """Per second: samples decoded for a view, and views, as they come and as they are stored."""
    table = Table(title="per second on one core, from bytes")
    for column in ("", "decoded", "stored", "ratio", "views", "stored", "ratio", "goal", "bytes"):
        table.add_column(column, justify="right" if column else "left")
    for kind, (modality, make) in SAMPLES.items():
        before = make()
        after = transcoded(before, source(modality))
        maker = ViewMaker(chain_for(modality, modality), 0, ViewsConfig())
        cells = [kind]
        for work in (_decode, _view):
            slow, fast = race([partial(work, maker, each) for each in (before, after)])
            cells += [f"{slow:.1f}", f"{fast:.1f}", f"{fast / slow:.2f}"]
        size = f"{sum(map(len, after.values())) / sum(map(len, before.values())):.2f}"
        table.add_row(*cells, TO_REACH.get(kind, ""), size)
    return table


def conversion_table(folder: Path) -> Table:
    """Samples per second of conversions, beside plain tars and in workers."""
    table = Table(title="conversion, samples/s")
    columns = ("plain tar", "checked", "stored", "1 worker", "2 workers", "ratio", "started, s")
    for column in ("modality", *columns):
        table.add_column(column, justify="left" if column == "modality" else "right")
    for modality, copies in COPIES.items():
        raw = made_raw(folder / modality, modality, copies)
        plain = _params(folder, modality, {})
        stored = _params(folder, modality, OPTIONS[modality])
        rates = [
            copies / seconds(run, time.process_time)
            for run in (
                partial(plain_tar, raw, plain, modality),
                partial(_convert, plain, modality, raw, in_this_process),
                partial(_convert, stored, modality, raw, in_this_process),
            )
        ]
        before = _tars(stored, modality)
        starts, steady = zip(*(_in_workers(stored, modality, raw, count) for count in (1, 2)))
        same = "" if _tars(stored, modality) == before else " DIFFERENT TARS"
        shown = [f"{rate:.1f}" for rate in (*rates, *steady)]
        started = ", ".join(f"{start:.1f}" for start in starts)
        table.add_row(modality, *shown, f"{steady[1] / steady[0]:.2f}{same}", started)
    return table


def _view(maker: ViewMaker, members: Sample, number: int) -> None:
    decoded = decode_member(members, maker.chain.member)
    for view in maker.views(decoded, f"key-{number}", range(1)):
        assert view.array is not None


def _decode(maker: ViewMaker, members: Sample, number: int) -> None:
    """What a view decodes, by the code of its chain; the same draw as `_view`'s."""
    decoded = decode_member(members, maker.chain.member)
    maker.chain.gather(decoded, [maker.params(f"key-{number}", 0)], maker.sizes)


def race(sides: list[Callable[[int], None]]) -> list[float]:
    """Runs per processor second of each side, from its best round; the numbers of a round are
    the same for all."""
    once = [seconds(partial(side, 0), time.process_time) for side in sides]
    count = max(8, int(SECONDS / max(once)))
    best = [float("inf")] * len(sides)
    for _ in range(ROUNDS):
        for place, side in enumerate(sides):
            spent = seconds(partial(_repeat, side, count), time.process_time)
            best[place] = min(best[place], spent)
    return [count / each for each in best]


def _repeat(side: Callable[[int], None], count: int) -> None:
    for number in range(count):
        side(number)


def seconds(run: Callable[[], object], clock: Callable[[], float]) -> float:
    """Of one run, by a clock."""
    start = clock()
    run()
    return clock() - start


def made_raw(raw: Path, modality: str, copies: int) -> Path:
    """The embedded pack's layout, with one sample over and over under many keys."""
    raw.mkdir()
    kind, part, zipped, suffix = PACKED[modality]
    (member,) = SAMPLES[kind][1]().values()
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
    changed = replace(params.sources[name], samples_per_shard=COPIES[modality] // TARS, **options)
    return replace(params, shards=str(folder / "shards"), sources={**params.sources, name: changed})


def _convert(params: Params, modality: str, raw: Path, executor: Executor) -> None:
    prepare(params, SOURCES[modality], "train", raw, executor)


def _in_workers(params: Params, modality: str, raw: Path, count: int) -> tuple[float, float]:
    """Seconds until each worker has made a tar, and samples per second from then on."""
    ends: list[tuple[float, int]] = []
    with local_client(count) as client:
        start, inner = time.perf_counter(), partial(in_workers, WorkerPool(client, Job(params)))

        def executor(*given: Any) -> Iterator[tuple[ShardTask, ShardDone]]:
            for task, done in inner(*given):
                ends.append((time.perf_counter(), done.candidates))
                yield task, done

        _convert(params, modality, raw, cast(Executor, executor))
    begun, later = ends[count - 1][0], ends[count:]
    return begun - start, sum(made for _, made in later) / (later[-1][0] - begun)


def _tars(params: Params, modality: str) -> dict[str, bytes]:
    folder = Path(params.shards) / SOURCES[modality] / "train"
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}

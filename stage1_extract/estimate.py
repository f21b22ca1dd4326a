"""What an extraction will take: rows, bytes, licence, and the rate of a measured warm-up."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import open_clip
from rich.table import Table

from pipeline.config import Params
from pipeline.device import default_device
from pipeline.shards import INDEX, read_index
from pipeline.store.layout import Layout
from pipeline.unknown_name import unknown_name
from stage1_extract.extraction import Extraction, shard_folder
from stage1_extract.extractor import Extractor
from stage1_extract.forward_pass import ForwardPass
from stage1_extract.shared_views import TarRows, ViewWorkers, most_workers, view_workers
from stage1_extract.tar_task import tar_features
from stage1_extract.teachers import Card, cards
from stage1_extract.teachers.arch_file import Size, read_arch
from stage1_extract.teachers.protocol import find_card

MEASURED_SECONDS = 10.0
"""How long the measured part of a warm-up lasts, where the first tar has the samples for it."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One extraction before it runs."""

    name: str
    """Name under `extract`."""
    card: Card
    rows: int | None
    """Samples of the source; None where nobody knows."""
    views: int
    bytes: int | None
    rate: float | None
    """Samples per second of a warm-up, None without one."""

    @property
    def hours(self) -> float | None:
        """Hours of one worker."""
        return self.rows / self.rate / 3600 if self.rows and self.rate else None


def planned(params: Params, name: str, extractor: Extractor | None) -> Planned:
    """The plan of one extraction; an extractor warms up its teacher and measures it.

    Raises:
        UserError: no such architecture; of a warm-up, everything that an extraction may raise.
    """
    pair = params.extract[name]
    source = params.sources[pair.source]
    card = card_of(pair.teacher, params.teachers[pair.teacher].model(source.modality).arch)
    folder, rate = shard_folder(params, name), None
    rows, room = source.expected("train"), source.samples_per_shard
    if (folder / INDEX).exists():
        index = read_index(folder)
        rows, room = index.samples, index.samples_per_shard
        if extractor:
            rate = measured_rate(extractor.extraction(name))
    tars = -(-rows // room) if rows else None
    layout = Layout(room, params.views.count, card.dim, params.teachers[pair.teacher].store)
    size = layout.shard_bytes * tars if tars else None
    return Planned(name=name, card=card, rows=rows, views=params.views.count, bytes=size, rate=rate)


def card_of(teacher: str, arch: str) -> Card:
    """The card of a teacher that is not loaded, its dim read from a file that describes it.

    Raises:
        UserError: no such teacher or architecture.
    """
    offered = [card for card in cards() if card.name == teacher]
    if not offered:
        raise unknown_name("teacher", teacher, {card.name for card in cards()})
    if arch.endswith(".json"):
        described = read_arch(Path(arch), AnyArch)
        return replace(offered[0], arch=arch, dim=described.dim or offered[0].dim)
    if offered[0].dim:
        return find_card(offered, arch)
    config = open_clip.get_model_config(arch.removeprefix("clip:"))
    if config is None:
        raise unknown_name("open_clip model", arch, open_clip.list_models())
    return replace(offered[0], arch=arch, dim=config["embed_dim"])


class AnyArch(msgspec.Struct):
    """What the plan asks of a file that describes an architecture."""

    dim: Size | None = None
    """Width of the feature; None where it is as published."""


def measured_rate(extraction: Extraction) -> float:
    """Samples per second from tar to features, over samples of the first tar."""
    first = extraction.index.shards[0]
    tar = TarRows(extraction.folder, first, range(first.count))
    batch = replace(tar, rows=tar.rows[: extraction.forward.rows_per_batch])
    with view_workers(most_workers()) as workers:
        # The first batch also starts processes, loads kernels and fills caches
        _seconds(workers, extraction.forward, batch)
        seconds = _seconds(workers, extraction.forward, batch)
        longest = len(batch.rows) * MEASURED_SECONDS / seconds
        measured = replace(tar, rows=tar.rows[: max(len(batch.rows), int(longest))])
        return len(measured.rows) / _seconds(workers, extraction.forward, measured)


def plan_table(plan: Sequence[Planned]) -> Table:
    """The plan with its totals; rates and hours where a warm-up measured them."""
    table = Table(show_footer=True)
    rows, size = sum(each.rows or 0 for each in plan), sum(each.bytes or 0 for each in plan)
    totals = {"rows": f"{rows:,}", "views": "", "dim": "", "GB": f"{size / 1e9:.3f}"}
    if any(each.rate for each in plan):
        table.caption = f"measured in one process on {default_device()}: hours of one worker"
        totals |= {"samples/s": "", "hours": f"{sum(each.hours or 0 for each in plan):.2f}"}
    table.add_column("extraction", "total", overflow="fold")
    table.add_column("arch", overflow="fold")
    for heading, total in totals.items():
        table.add_column(heading, total, justify="right")
    for each in plan:
        numbers = _numbers(each)
        table.add_row(each.name, each.card.arch, *(numbers[name] for name in totals))
    return table


def licences(plan: Sequence[Planned]) -> str:
    """A line for each architecture of the plan."""
    found = dict.fromkeys((each.card.arch, each.card.licence) for each in plan)
    width = max(len(arch) for arch, _ in found)
    return "\n".join(f"{arch:<{width}}  {licence}" for arch, licence in found)


def _numbers(each: Planned) -> dict[str, str]:
    gigabytes = each.bytes / 1e9 if each.bytes else None
    return {
        "rows": _shown(each.rows, ","),
        "views": str(each.views),
        "dim": str(each.card.dim),
        "GB": _shown(gigabytes, ".3f"),
        "samples/s": _shown(each.rate, ".1f"),
        "hours": _shown(each.hours, ".2f"),
    }


def _seconds(workers: ViewWorkers, forward: ForwardPass, samples: TarRows) -> float:
    started = time.perf_counter()
    for (encoder,) in tar_features(workers, [forward], [samples], lambda count: None):
        encoder.features()
    return time.perf_counter() - started


def _shown(value: float | None, form: str) -> str:
    return "?" if value is None else format(value, form)

"""The conversion of a split, from its raw listing to the finished folder."""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from pipeline.atomic import naming
from pipeline.config import Params
from pipeline.locations import (
    behind_link,
    filled,
    is_remote,
    make_folder,
    path_or_url,
    publish,
    remove,
)
from pipeline.lock import exclusive
from pipeline.preparation.executors import Executor, SplitConversion, in_this_process
from pipeline.preparation.identity import identity, recipe
from pipeline.preparation.listing import read_raw, shard_tasks
from pipeline.preparation.official import lacking, remarks
from pipeline.preparation.progress import ConversionProgress
from pipeline.preparation.records import Records
from pipeline.preparation.rejections import refusal, too_many, write_rejected
from pipeline.preparation.shard_task import ListedSplit, ShardDone, ShardTask, listed_split
from pipeline.shards import FORMAT, INDEX, ROWS, ShardIndex, write_index
from pipeline.timing import split_timing, timed


def prepare(
    params: Params, name: str, split: str, raw: Path, executor: Executor = in_this_process
) -> ShardIndex:
    """Convert one split; the finished folder replaces an older one in a single step.

    Where a link lies in its place, that is the folder that the link names, on its disk. Behind a
    URL its files are put one after the other, the index last. Until then the tars stand in a
    .partial folder beside it; of a run that ends early the finished ones are kept there, and the
    next run of the same recipe over the same raw data goes on from them.

    Raises:
        UserError: wrong input, too many rejected samples, or another run writes that split.
    """
    listed = listed_split(params.sources[name], read_raw(params.sources[name], raw, split))
    for remark in remarks(name, split, listed.source, listed.dataset):
        print(remark, file=sys.stderr)
    named = path_or_url(params.shards) / name / split
    final = behind_link(named)
    folder = final.with_name(f"{final.name}.partial")
    known = identity(params, name, listed.dataset, raw)
    conversion = SplitConversion(name, split, str(raw), str(folder), known)
    tasks = shard_tasks(listed.items, params.seed, listed.source.samples_per_shard)
    record, resumed = split_timing(named), folder.exists()
    with exclusive(final), naming(folder), timed(record, known, folder, resumed):
        make_folder(folder)
        with _nothing_half_done(folder):
            done = _made(conversion, listed, tasks, executor)
            write_rejected(folder, list(done.values()))
            _refuse_too_many(folder, final, done, listed, Records(folder, known))
            index = _index(params, conversion, listed, list(done.values()))
            _finish(folder, index, Records(folder, known))
        _put_in_place(folder, final)
    rejected = sum(len(shard.rejected) for shard in done.values())
    written = f"{index.samples} samples in {len(index.shards)} shards"
    print(f"{final}: {written}, {rejected} rejected")
    return index


def _made(
    conversion: SplitConversion, listed: ListedSplit, tasks: Sequence[ShardTask], executor: Executor
) -> dict[ShardTask, ShardDone]:
    """What became of the tasks, in their order; without the rest once too many are rejected."""
    total, rejected = len(listed.items), 0
    found: dict[ShardTask, ShardDone] = {}
    with (
        ConversionProgress(f"{conversion.source}/{conversion.split}", total) as progress,
        # Closed, so that nothing goes on behind a Ctrl-C
        closing(executor(conversion, listed, tasks, progress.add)) as made,
    ):
        for task, done in made:
            found[task] = done
            progress.resume(done.candidates if done.resumed else 0)
            rejected += len(done.rejected)
            if too_many(rejected, total, listed.source.max_rejected):
                break
    return {task: found[task] for task in tasks if task in found}


def _refuse_too_many(
    folder: Path,
    final: Path,
    done: Mapping[ShardTask, ShardDone],
    listed: ListedSplit,
    records: Records,
) -> None:
    """Stop where that is so; tars that lack a sample are made again when the data are mended."""
    total, limit = len(listed.items), listed.source.max_rejected
    if not too_many(sum(len(shard.rejected) for shard in done.values()), total, limit):
        return
    for task, shard in done.items():
        if shard.rejected:
            records.forget(task)
    raise refusal(folder, final, list(done.values()), total, limit)


def _index(
    params: Params, conversion: SplitConversion, listed: ListedSplit, done: Sequence[ShardDone]
) -> ShardIndex:
    source, dataset = listed.source, listed.dataset
    return ShardIndex(
        format=FORMAT, dataset=conversion.source, split=conversion.split, modality=source.modality,
        classes=dataset.classes, class_words=dataset.class_words, licence=dataset.licence,
        captions=sorted({caption for shard in done for caption in shard.captions}),
        samples_per_shard=source.samples_per_shard,
        shards=[shard.shard for shard in done if shard.shard],
        recipe=recipe(source, params.seed),
        expected=lacking(conversion.split, source, dataset),
    )  # fmt: skip


def _finish(folder: Path, index: ShardIndex, records: Records) -> None:
    """Write the index, and leave beside it the tars that it names, their rows, and no others."""
    with filled(folder) as local:
        write_index(local, index)
    named = {shard.name + ending for shard in index.shards for ending in ("", ROWS)}
    for file in folder.iterdir():
        if file.suffix in (".tar", ROWS, ".partial") and file.name not in named:
            file.unlink()
    records.remove()


@contextmanager
def _nothing_half_done(folder: Path) -> Iterator[None]:
    """Leave no half of a file behind Ctrl-C or on a full disk, nor a folder without any."""
    try:
        yield
    except BaseException:
        if not is_remote(folder):
            for half in folder.glob("*.partial"):
                half.unlink()
            if not any(folder.iterdir()):
                folder.rmdir()
        raise


def _put_in_place(folder: Path, final: Path) -> None:
    """Put a finished folder in an older one's place; the old one goes only when the new stands."""
    if is_remote(final):
        publish(folder, final, last=INDEX)
        remove(folder)
        return
    old = final.with_name(f"{final.name}.old.partial")
    remove(old)
    if final.exists():
        final.replace(old)
    folder.replace(final)
    shutil.rmtree(old, ignore_errors=True)

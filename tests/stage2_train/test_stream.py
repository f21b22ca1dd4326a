"""The joined stream: order fixed by the seed, resumable anywhere, every join proved."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.openclip import load_openclip
from pipeline.shards import read_index, read_shard, write_index, write_shard
from stage2_train.order import Cursor, Share, spread
from stage2_train.stream import MiniBatch, SourceStream
from stage2_train.student import Student
from stage2_train.targets import open_targets
from stage2_train.texts import build_text_table
from tests.tiny_world import tiny_params


def make_stream(
    root: Path, threads: ThreadPoolExecutor, share: Share, rank: int = 0, **changes: object
) -> SourceStream:
    params = tiny_params(root, **changes)
    index = read_index(Path(params.shards) / "objects" / "train")
    student = Student(load_openclip(params.student.arch), params.student)
    texts = build_text_table(student, {"objects": index}, {"objects": "photo"})
    names = ["clip-objects", "fake-objects"]
    targets = [open_targets(params, name, index) for name in names]
    return SourceStream(params, "objects", targets, texts, threads, share, rank)


def take(
    root: Path, size: int, times: int = 1, cursor: Cursor | None = None, workers: int = 2
) -> tuple[list[MiniBatch], Cursor]:
    """Mini-batches of one rank that takes all, and where it stands then."""
    with ThreadPoolExecutor(workers) as threads:
        stream = make_stream(root, threads, Share((size,)))
        stream.cursor = cursor or Cursor()
        batches = [stream.take() for _ in range(times)]
        threads.shutdown(cancel_futures=True)
        return batches, stream.cursor


def test_order_does_not_depend_on_threads_or_batch_sizes(cached_world: Path) -> None:
    [one], _ = take(cached_world, 16, workers=1)
    four, _ = take(cached_world, 4, times=4, workers=4)
    for name, target in one.targets.items():
        assert torch.equal(target, torch.cat([batch.targets[name] for batch in four]))
    assert torch.equal(one.text, torch.cat([batch.text for batch in four]))


def test_ranks_decode_parts_that_make_the_whole(
    cached_world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven samples a step over three ranks, across the end of a pass of 16 in tars of 6."""
    whole, _ = take(cached_world, 7, times=4)
    decoded = []
    joined = SourceStream._joined
    record = lambda stream, task: (decoded.append(task.key), joined(stream, task))[1]  # noqa: E731
    monkeypatch.setattr(SourceStream, "_joined", record)
    with ThreadPoolExecutor(1) as threads:
        share = spread({"objects": 7}, 3)["objects"]
        ranks = [make_stream(cached_world, threads, share, rank) for rank in range(3)]
        for batch in whole:
            parts = [stream.take() for stream in ranks]
            assert [len(part.text) for part in parts] == [3, 2, 2]
            assert torch.equal(torch.cat([part.text for part in parts]), batch.text)
            assert torch.equal(torch.cat([p.inputs[0] for p in parts]), batch.inputs[0])
        threads.shutdown(cancel_futures=True)
    ahead = 3 * 2 * 3
    assert len(decoded) <= 4 * 7 + ahead  # no rank decodes another's rows


@pytest.mark.parametrize("taken", [1, 6, 7, 15, 16, 20])
def test_a_resumed_stream_goes_on_where_it_stopped(cached_world: Path, taken: int) -> None:
    [whole], end = take(cached_world, taken + 9)
    _, cursor = take(cached_world, taken)
    [resumed], stop = take(cached_world, 9, cursor=cursor)
    for mine, theirs in zip(whole.inputs, resumed.inputs):
        assert torch.equal(mine[taken:], theirs)
    assert stop == end


def test_each_pass_takes_every_sample_once_under_its_own_view(cached_world: Path) -> None:
    passes, _ = take(cached_world, 16, times=3)
    first, second, third = (batch.targets["fake-objects"] for batch in passes)
    assert len(first.unique(dim=0)) == 16
    assert not set(map(tuple, first.tolist())) & set(map(tuple, second.tolist()))
    assert set(map(tuple, first.tolist())) == set(map(tuple, third.tolist()))  # K = 2 views
    assert not torch.equal(first, third)


@pytest.fixture
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tars are not compared with their index's hash: the join has proofs of its own."""
    monkeypatch.setattr("pipeline.shards._proved", lambda path, shard: path.open("rb"))


def test_a_tar_that_is_not_what_its_index_hashed_is_refused(world: Path) -> None:
    folder = world / "shards" / "objects" / "train"
    tar = folder / read_index(folder).shards[1].name
    content = bytearray(tar.read_bytes())
    content[len(content) // 2] ^= 1
    tar.write_bytes(content)
    with pytest.raises(UserError, match="000001.tar: expected xxh3 .* python -m pipeline.prepare"):
        take(world, 16)


@pytest.mark.usefixtures("believed")
def test_a_swapped_key_stops_the_stream(world: Path) -> None:
    """Two samples of a tar change places after the teacher saw them."""
    folder = world / "shards" / "objects" / "train"
    index = read_index(folder)
    samples = list(read_shard(folder, index.shards[0]))
    (first, a), (second, b), *rest = samples
    info = write_shard(folder / index.shards[0].name, [(second, a), (first, b), *rest])
    assert info.xxh3 != index.shards[0].xxh3
    with pytest.raises(UserError, match=r"objects-train.*another key.*--repair"):
        take(world, 16)


def test_a_tar_that_changed_with_its_index_is_named(world: Path) -> None:
    folder = world / "shards" / "objects" / "train"
    index = read_index(folder)
    samples = list(read_shard(folder, index.shards[0]))
    info = write_shard(folder / index.shards[0].name, samples[::-1])
    index.shards[0] = info
    write_index(folder, index)
    with pytest.raises(UserError, match=r"000000.tar.*has changed.*stage1_extract --teacher"):
        take(world, 16)


@pytest.mark.usefixtures("believed")
def test_changed_content_under_the_same_key_stops_the_stream(world: Path) -> None:
    folder = world / "shards" / "objects" / "train"
    index = read_index(folder)
    samples = list(read_shard(folder, index.shards[1]))
    (key, members), *rest = samples
    other = {**members, "points.npy": rest[0][1]["points.npy"]}
    write_shard(folder / index.shards[1].name, [(key, other), *rest])
    with pytest.raises(UserError, match="other content"):
        take(world, 16)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"seed": 6}, "views.seed"),
        ({"views": {"count": 2, "image_size": 32, "points": 48}}, "views.points"),
        ({"teachers": {"clip": {"arch": "ViT-B-32"}, "fake": {"arch": "fake"}}}, "teacher.arch"),
    ],
)
def test_a_store_of_another_recipe_is_refused(
    cached_world: Path, changes: dict, field: str
) -> None:
    params = tiny_params(cached_world, **changes)
    index = read_index(Path(params.shards) / "objects" / "train")
    name = "clip-objects" if field == "teacher.arch" else "fake-objects"
    with pytest.raises(UserError, match=rf"{field}.*run: python -m stage1_extract"):
        open_targets(params, name, index)


def test_too_few_cached_views_are_refused(cached_world: Path) -> None:
    params = tiny_params(cached_world, views={"count": 3, "image_size": 32, "points": 64})
    index = read_index(Path(params.shards) / "objects" / "train")
    with pytest.raises(UserError, match="holds 2 views, views.count is 3"):
        open_targets(params, "fake-objects", index)


@pytest.mark.usefixtures("believed")
def test_the_next_readable_sample_of_the_tar_takes_an_unreadable_ones_place(world: Path) -> None:
    folder = world / "shards" / "objects" / "train"
    shard = read_index(folder).shards[0]
    samples = list(read_shard(folder, shard))
    whole, _ = take(world, 16)
    keys = [key for key, _ in samples]
    for row in (2, 5):
        key, members = samples[row]
        cut = bytes(len(members["points.npy"]))
        samples[row] = (key, {**members, "points.npy": cut})
    write_shard(folder / shard.name, samples)
    with ThreadPoolExecutor(2) as threads:
        stream = make_stream(world, threads, Share((16,)))
        slots = list(islice(stream._order.slots(Cursor()), 16))
        batch = stream.take()
        threads.shutdown(cancel_futures=True)
    assert batch.replaced == 2
    place = {(slot.shard, slot.row): number for number, slot in enumerate(slots)}
    targets = batch.targets["fake-objects"]
    for row, neighbour in ((2, 3), (5, 0)):
        assert torch.equal(targets[place[0, row]], targets[place[0, neighbour]]), keys[row]
    kept = [n for (shard_, row), n in place.items() if (shard_, row) not in ((0, 2), (0, 5))]
    assert torch.equal(targets[kept], whole[0].targets["fake-objects"][kept])


@pytest.mark.usefixtures("believed")
def test_a_tar_without_a_readable_sample_is_named(world: Path) -> None:
    folder = world / "shards" / "objects" / "train"
    shard = read_index(folder).shards[1]
    spoiled = [
        (key, {**members, "points.npy": bytes(len(members["points.npy"]))})
        for key, members in read_shard(folder, shard)
    ]
    write_shard(folder / shard.name, spoiled)
    with pytest.raises(UserError, match=r"000001.tar: none of its 6 samples is readable; run"):
        take(world, 16)

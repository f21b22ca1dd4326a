"""The joined stream: order fixed by the seed, resumable anywhere, every join proved."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.openclip import load_openclip
from pipeline.shards import ShardIndex, read_index, read_shard, write_index, write_shard
from pipeline.store import Plane
from stage2_train.stream.join import Draw, MiniBatch, SourceStream
from stage2_train.stream.order import MOST_RUNS, Cursor
from stage2_train.stream.targets import open_targets
from stage2_train.stream.texts import build_text_table
from stage2_train.student import Student
from tests.tiny_world import tiny_params


def make_stream(root: Path, **changes: object) -> SourceStream:
    params = tiny_params(root, **changes)
    index = read_index(Path(params.shards) / "objects" / "train")
    student = Student(load_openclip(params.student.arch), params.student)
    texts = build_text_table(student, {"objects": index}, {"objects": "photo"})
    names = ["clip-objects", "fake-objects"]
    targets = [open_targets(params, name, index) for name in names]
    return SourceStream(params, "objects", targets, texts)


def take(
    root: Path, size: int, times: int = 1, cursor: Cursor | None = None
) -> tuple[list[MiniBatch], Cursor]:
    """Mini-batches of one rank that takes all, and where it stands then."""
    stream, cursor, batches = make_stream(root), cursor or Cursor(), []
    for _ in range(times):
        batches.append(stream(Draw("objects", cursor, range(size))))
        cursor = stream.order.after(cursor, size)
    return batches, cursor


def test_a_stream_keeps_no_index_beside_that_of_its_stores(cached_world: Path) -> None:
    """Every worker process holds it, with a million captions."""
    stream = make_stream(cached_world)
    kept = [value for value in vars(stream).values() if isinstance(value, ShardIndex)]
    assert all(index is target.store.index for index in kept for target in stream.targets)


def test_order_does_not_depend_on_batch_sizes(cached_world: Path) -> None:
    [one], _ = take(cached_world, 16)
    four, _ = take(cached_world, 4, times=4)
    for name, target in one.targets.items():
        assert torch.equal(target, torch.cat([batch.targets[name] for batch in four]))
    assert torch.equal(one.text, torch.cat([batch.text for batch in four]))


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
    """Samples are sought as the tar stands, and proved by nothing: the join has its own proofs."""
    read = lambda folder, places: (list(read_shard(folder, tar))[row] for tar, row in places)  # noqa: E731
    monkeypatch.setattr("pipeline.shards._proved", lambda path, shard: path.open("rb"))
    monkeypatch.setattr("stage2_train.stream.join.read_places", read)


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


def test_an_index_that_changes_while_it_is_opened_is_named(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its classes, whose order the tars and the stores do not tell of."""
    folder = world / "shards" / "objects" / "train"
    index = read_index(folder)
    other = replace(index, classes=index.classes[::-1])
    monkeypatch.setattr("stage2_train.stream.join.read_index", lambda folder: other)
    with pytest.raises(UserError, match=r"train/index.json: prepared anew .*; run again"):
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
    stream = make_stream(world)
    slots = stream.order.slots(Cursor(), range(16))
    batch = stream(Draw("objects", Cursor(), range(16)))
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


def test_as_many_planes_are_kept_as_runs_are_read_side_by_side(
    cached_world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = make_stream(cached_world)
    assert stream._planes.cache_parameters()["maxsize"] > MOST_RUNS
    size = sum(_plane_size(target.store.read(0, 0)) for target in stream.targets)
    monkeypatch.setattr("stage2_train.stream.join.PLANE_BYTES", 40 * size)
    assert make_stream(cached_world)._planes.cache_parameters()["maxsize"] == 40
    monkeypatch.setattr("stage2_train.stream.join.PLANE_BYTES", 0)
    assert make_stream(cached_world)._planes.cache_parameters()["maxsize"] == 32


def _plane_size(plane: Plane) -> int:
    arrays = (plane.features, plane.digests, plane.scale)
    return sum(array.nbytes for array in arrays if array is not None)

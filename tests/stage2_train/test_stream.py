"""The joined stream: order fixed by the seed, resumable anywhere, every join proved."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.openclip import load_openclip
from pipeline.shards import read_index, read_shard, write_index, write_shard
from stage2_train.stream import Cursor, SourceStream, mini_batch_sizes
from stage2_train.student import Student
from stage2_train.targets import open_targets
from stage2_train.texts import build_text_table
from tests.tiny_world import tiny_params


def make_stream(root: Path, threads: ThreadPoolExecutor, **changes: object) -> SourceStream:
    params = tiny_params(root, **changes)
    index = read_index(Path(params.shards) / "objects" / "train")
    student = Student(load_openclip(params.student.arch), params.student)
    texts = build_text_table(student, {"objects": index}, {"objects": "photo"})
    names = ["clip-objects", "fake-objects"]
    targets = [open_targets(params, name, index) for name in names]
    return SourceStream(params, "objects", targets, texts, threads)


def take(root: Path, sizes: list[int], cursor: Cursor | None = None, workers: int = 2) -> list:
    with ThreadPoolExecutor(workers) as threads:
        stream = make_stream(root, threads)
        stream.cursor = cursor or Cursor()
        batches = [stream.take(size) for size in sizes]
        threads.shutdown(cancel_futures=True)
        return [*batches, stream.cursor]


def test_order_does_not_depend_on_threads_or_batch_sizes(cached_world: Path) -> None:
    one = take(cached_world, [16], workers=1)[0]
    four = take(cached_world, [5, 11], workers=4)
    for name, target in one.targets.items():
        assert torch.equal(target, torch.cat([batch.targets[name] for batch in four[:2]]))
    assert torch.equal(one.text, torch.cat([batch.text for batch in four[:2]]))


@pytest.mark.parametrize("taken", [1, 6, 7, 15, 16, 20])
def test_a_resumed_stream_goes_on_where_it_stopped(cached_world: Path, taken: int) -> None:
    whole = take(cached_world, [taken, 9])
    cursor = take(cached_world, [taken])[-1]
    resumed = take(cached_world, [9], cursor)
    for mine, theirs in zip(whole[1].inputs, resumed[0].inputs):
        assert torch.equal(mine, theirs)
    assert resumed[-1] == whole[-1]


def test_each_pass_takes_every_sample_once_under_its_own_view(cached_world: Path) -> None:
    passes = take(cached_world, [16, 16, 16])
    first, second, third = (batch.targets["fake-objects"] for batch in passes[:3])
    assert len(first.unique(dim=0)) == 16
    assert not set(map(tuple, first.tolist())) & set(map(tuple, second.tolist()))
    assert set(map(tuple, first.tolist())) == set(map(tuple, third.tolist()))  # K = 2 views
    assert not torch.equal(first, third)


def test_a_swapped_key_stops_the_stream(world: Path) -> None:
    """Two samples of a tar change places after the teacher saw them."""
    folder = world / "shards" / "objects" / "train"
    index = read_index(folder)
    samples = list(read_shard(folder, index.shards[0]))
    (first, a), (second, b), *rest = samples
    info = write_shard(folder / index.shards[0].name, [(second, a), (first, b), *rest])
    assert info.xxh3 != index.shards[0].xxh3
    with pytest.raises(UserError, match=r"objects-train.*another key.*--repair"):
        take(world, [16])


def test_a_tar_that_changed_with_its_index_is_named(world: Path) -> None:
    folder = world / "shards" / "objects" / "train"
    index = read_index(folder)
    samples = list(read_shard(folder, index.shards[0]))
    info = write_shard(folder / index.shards[0].name, samples[::-1])
    index.shards[0] = info
    write_index(folder, index)
    with pytest.raises(UserError, match=r"000000.tar.*has changed.*stage1_extract --teacher"):
        take(world, [16])


def test_changed_content_under_the_same_key_stops_the_stream(world: Path) -> None:
    folder = world / "shards" / "objects" / "train"
    index = read_index(folder)
    samples = list(read_shard(folder, index.shards[1]))
    (key, members), *rest = samples
    other = {**members, "points.npy": rest[0][1]["points.npy"]}
    write_shard(folder / index.shards[1].name, [(key, other), *rest])
    with pytest.raises(UserError, match="other content"):
        take(world, [16])


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


@settings(deadline=None, derandomize=True)
@given(
    st.dictionaries(st.text(min_size=1), st.floats(0.01, 100), min_size=1, max_size=6),
    st.integers(1, 5000),
)
def test_mini_batch_sizes_are_exact_and_within_one_of_their_share(
    weights: dict[str, float], total: int
) -> None:
    sizes = mini_batch_sizes(weights, total)
    assert sum(sizes.values()) == total
    whole = sum(weights.values())
    assert all(abs(sizes[n] - total * w / whole) < 1 + 1e-6 for n, w in weights.items())

"""Extraction: the teacher's own features of each seeded view, the same bytes every time."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from pipeline.prompts import class_embeddings, templates
from pipeline.samples import decode_member
from pipeline.shards import read_index, read_shard, write_index, write_shard
from pipeline.views.digest import key_digest
from stage1_extract import tar_task
from stage1_extract.extraction import Extraction
from stage1_extract.progress import ExtractionProgress
from tests.conftest import extract
from tests.pipeline.made_store import tree
from tests.stage1_extract.changed_shards import opened, rewrite, set_aside, train_folder
from tests.tiny_world import FakeTeacher, tiny_params


def test_rows_are_the_teachers_features_of_the_seeded_views(
    prepared_world: Path, cache: str
) -> None:
    done = extract(tiny_params(prepared_world, cache=cache), "fake-objects")
    teacher, store = FakeTeacher(), opened(done)
    for shard, info in enumerate(done.index.shards):
        planes = [store.read(shard, view) for view in range(2)]
        for row, (key, members) in enumerate(read_shard(done.folder, info)):
            cloud = decode_member(members, "points")
            for number, plane in enumerate(planes):
                view = done.maker(cloud, key, number)
                live = teacher.encode(teacher.preprocess(view.array)[None])[0].numpy()
                assert np.array_equal(plane.features[row], live.astype(np.float16))
                assert plane.params_digest[row] == view.params_digest
                assert plane.view_digest[row] == view.content_digest
            assert store.key_hash(shard)[row] == key_digest(key)


def test_label_texts_are_the_teachers_own_class_embeddings(
    prepared_world: Path, cache: str
) -> None:
    done = extract(tiny_params(prepared_world, cache=cache), "fake-objects")
    expected = class_embeddings(FakeTeacher().encode_text, ["ball", "stick"], templates("photo"))
    assert np.array_equal(opened(done).text_features(), expected.numpy())


def test_a_teacher_without_a_text_space_stores_none(prepared_world: Path, cache: str) -> None:
    teacher = FakeTeacher()
    teacher.text_space = None
    done = extract(tiny_params(prepared_world, cache=cache), "fake-objects", teacher)
    assert opened(done).text_features() is None
    assert not (done.path / "text_features").exists()


@pytest.mark.parametrize("name", ["fake-objects", "clip-objects", "clip-renders"])
def test_extracting_twice_from_scratch_gives_the_same_bytes(
    prepared_world: Path, tmp_path: Path, name: str
) -> None:
    for cache in ("one", "other"):
        extract(tiny_params(prepared_world, cache=str(tmp_path / cache)), name)
    assert tree(tmp_path / "one") == tree(tmp_path / "other") != {}


@pytest.mark.parametrize(
    ("workers", "samples", "ahead"), [(0, 1, 0), (0, 4, 100), (1, 2, 0), (3, 1, 2), (20, 5, 2)]
)
def test_workers_and_the_size_of_their_tasks_do_not_show(
    prepared_world: Path, cached_world: Path, cache: str, monkeypatch,
    workers: int, samples: int, ahead: int,
) -> None:  # fmt: skip
    """Twenty processes are more than there are samples."""
    monkeypatch.setattr(tar_task, "MOST_SAMPLES", samples)
    monkeypatch.setattr(tar_task, "BATCHES_AHEAD", ahead)
    params = tiny_params(prepared_world, cache=cache)
    done = Extraction(params, "fake-objects", FakeTeacher())
    with ExtractionProgress("") as progress:
        done.run(progress, workers)
    assert tree(done.path) == tree(cached_world / "cache" / "fake" / "objects-train.zarr")


def test_a_finished_extraction_runs_no_teacher(world: Path) -> None:
    teacher = FakeTeacher()
    before = tree(world / "cache")
    extract(tiny_params(world), "fake-objects", teacher)
    assert teacher.batches == 0
    assert tree(world / "cache") == before


def test_a_tar_that_changed_is_extracted_again_alone(world: Path) -> None:
    before = tree(world / "cache" / "fake")
    rewrite(world, 2, lambda samples: samples[::-1])
    teacher = FakeTeacher()
    extract(tiny_params(world), "fake-objects", teacher)
    assert teacher.batches == 1  # 4 samples x 2 views, 8 a batch
    after = tree(world / "cache" / "fake")
    changed = {name for name in before if before[name] != after[name]}
    assert changed
    assert all("/c/2" in name or "000002.tar" in name for name in changed)


def test_a_dataset_that_lost_and_gained_a_tar_extracts_what_is_new(world: Path) -> None:
    folder = train_folder(world)
    index, before = read_index(folder), tree(world / "cache" / "fake")
    write_index(folder, replace(index, shards=index.shards[:2]))
    assert extract(tiny_params(world), "fake-objects", lost := FakeTeacher()).index.rows == 12
    write_index(folder, index)
    extract(tiny_params(world), "fake-objects", gained := FakeTeacher())
    assert (lost.batches, gained.batches) == (0, 1)
    assert tree(world / "cache" / "fake") == before


def test_a_store_made_with_shards_of_another_size_is_set_aside(
    world: Path,
) -> None:
    folder = train_folder(world)
    index = read_index(folder)
    samples = [s for info in index.shards for s in read_shard(folder, info)]
    shards = [write_shard(folder / f"{n:06d}.tar", samples[8 * n :][:8]) for n in range(2)]
    write_index(folder, replace(index, shards=shards, samples_per_shard=8))
    done = extract(tiny_params(world), "fake-objects")
    assert set_aside(done).is_dir()
    assert opened(done).read(1, 1).features.shape == (8, 6)


@pytest.mark.parametrize(
    ("changes", "teacher"),
    [
        ({"seed": 6}, FakeTeacher()),
        ({"views": {"count": 2, "image_size": 32, "points": 48}}, FakeTeacher()),
        ({}, FakeTeacher(weights_sha256="1" * 64)),
    ],
)
def test_another_recipe_sets_the_store_aside_and_going_back_takes_it_up(
    world: Path, changes: dict, teacher: FakeTeacher
) -> None:
    before = tree(world / "cache" / "fake" / "objects-train.zarr")
    other = extract(tiny_params(world, **changes), "fake-objects", teacher)
    assert tree(set_aside(other)) == before
    assert teacher.batches >= 5
    back = FakeTeacher()
    done = extract(tiny_params(world), "fake-objects", back)
    assert back.batches == 0
    assert tree(done.path) == before


def test_appended_views_are_those_of_a_store_begun_with_as_many(
    world: Path, tmp_path: Path
) -> None:
    more = {"count": 4, "image_size": 32, "points": 64}
    appended = extract(tiny_params(world, views=more), "fake-objects", teacher := FakeTeacher())
    fresh = extract(tiny_params(world, views=more, cache=str(tmp_path / "fresh")), "fake-objects")
    one, other = opened(appended), opened(fresh)
    assert (one.layout.views, other.layout.views) == (2, 4)
    assert teacher.batches == 5  # no more than the first two views took
    for shard in range(3):
        for view in range(4):
            for name, values in vars(one.read(shard, view)).items():
                assert np.array_equal(values, getattr(other.read(shard, view), name))


@pytest.mark.parametrize(
    ("changes", "weights", "field"),
    [
        ({"seed": 6}, "0" * 64, "views.seed is 5, expected 6"),
        ({"views": {"count": 2, "image_size": 32, "points": 48}}, "0" * 64, "views.points is 64"),
        ({}, "1" * 64, "teacher.weights_sha256 is '000"),
    ],
)
def test_a_reader_of_another_recipe_is_told_the_field(
    cached_world: Path, changes: dict, weights: str, field: str
) -> None:
    other = Extraction(tiny_params(cached_world, **changes), "fake-objects", FakeTeacher(weights))
    with pytest.raises(UserError, match=rf"{field}.*run: python -m stage1_extract --teacher fake"):
        opened(other)


def test_a_reader_of_other_prompts_is_told_the_field(cached_world: Path) -> None:
    params = tiny_params(cached_world)
    objects = replace(params.sources["objects"], prompts="scene")
    params = replace(params, sources={**params.sources, "objects": objects})
    with pytest.raises(UserError, match="text.prompts is 'photo', expected 'scene'"):
        opened(Extraction(params, "fake-objects", FakeTeacher()))


def test_renamed_classes_get_new_label_texts(world: Path) -> None:
    folder = train_folder(world)
    write_index(folder, replace(read_index(folder), classes=["ball", "rod"]))
    teacher = FakeTeacher()
    done = extract(tiny_params(world), "fake-objects", teacher)
    expected = class_embeddings(teacher.encode_text, ["ball", "rod"], templates("photo"))
    assert teacher.batches == 0
    assert np.array_equal(opened(done).text_features(), expected.numpy())


def test_the_provenance_says_what_was_done(cached_world: Path) -> None:
    path = cached_world / "cache" / "fake" / "objects-train.zarr" / "provenance.json"
    written = json.loads(path.read_text())
    determines = written["determines"]
    assert determines["teacher"]["weights_sha256"] == "0" * 64
    assert "RandDropout(0.875)" in determines["views"]["chain"]
    assert (determines["views"]["seed"], determines["views"]["points"]) == (5, 64)
    assert determines["storage"] == {"layout": 2, "dtype": "float16", "rows_per_shard": 6, "dim": 6}
    assert written["notes"]["versions"]["torch"] == torch.__version__.split("+")[0]

"""Held-out data that is damaged or does not fit its index, and names that plots must survive."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from eval.encode import Encoder, encode_split
from eval.figures import plot_confusion
from pipeline.errors import UserError
from pipeline.shards import read_index, read_shard, write_index, write_shard
from tests.tiny_world import tiny_params

SHAPE = Encoder("shape", torch.from_numpy, lambda views: torch.stack(list(views))[:, 0])
Sample = tuple[str, dict[str, bytes]]


def change(root: Path, changed: Callable[[Sample], Sample], classes: int = 2) -> None:
    """Rewrite the held-out objects and their index."""
    folder = root / "shards" / "objects" / "test"
    index = read_index(folder)
    shards = [
        write_shard(folder / info.name, [changed(sample) for sample in read_shard(folder, info)])
        for info in index.shards
    ]
    write_index(folder, replace(index, shards=shards, classes=index.classes[:classes]))


def damaged(sample: Sample) -> Sample:
    return sample[0], {**sample[1], "points.npy": b"damaged"}


def test_a_damaged_sample_is_left_out_counted_and_named(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = encode_split(tiny_params(world), "objects", "test", [SHAPE])
    assert whole.unreadable == {}
    change(world, lambda sample: damaged(sample) if sample[0] == "thing-05" else sample)
    data = encode_split(tiny_params(world), "objects", "test", [SHAPE])
    assert list(data.unreadable) == ["thing-05"]
    assert len(data.labels) == len(data.features[0]) == len(whole.labels) - 1
    said = capsys.readouterr().err
    assert "objects/test: 1 of 8 samples are unreadable; the first: thing-05: points.npy" in said
    assert said.count("\n") == 1


def test_nothing_but_damaged_samples_is_an_error(world: Path) -> None:
    change(world, damaged)
    with pytest.raises(UserError, match=r"of 8 samples are unreadable.* none is left to score; ru"):
        encode_split(tiny_params(world), "objects", "test", [SHAPE])


def test_an_index_with_fewer_classes_than_labels_is_refused(world: Path) -> None:
    change(world, lambda sample: sample, classes=1)
    with pytest.raises(UserError, match=r"index.json: expected a class .* found 1 classes and the"):
        encode_split(tiny_params(world), "objects", "test", [SHAPE])


def test_a_class_name_is_no_mathematics(tmp_path: Path) -> None:
    labels = torch.tensor([0, 1])
    names = ["$unclosed{", "$un{$closed"]
    plot_confusion(tmp_path / "plots" / "x.png", names, labels, labels, "of $a{$")
    assert (tmp_path / "plots" / "x.png").read_bytes().startswith(b"\x89PNG")

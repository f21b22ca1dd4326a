"""`python -m eval.retrieval` over the tiny world: pairs by key, by caption and by label."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from msgspec import to_builtins

from eval import paired, retrieval
from eval.encode import EncodedSplit
from pipeline.errors import UserError
from pipeline.openclip import load_openclip
from pipeline.samples import SampleText
from pipeline.shards import read_index, read_shard, write_index, write_shard
from stage2_train.student import Student
from tests.tiny_world import tiny_params

Command = Callable[..., dict]


@pytest.fixture
def command(world: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`eval.retrieval` with arguments, in this process: what its file says."""
    params = tiny_params(world)
    (world / "params.yaml").write_text(yaml.safe_dump(to_builtins(params)))
    Student(load_openclip(params.student.arch), params.student).save(world / "student")

    def run(query: str, gallery: str, *where: str) -> dict:
        typed = ["--ckpt", str(world / "student"), "--params", str(world / "params.yaml")]
        ways = ["--from", query, "--to", gallery]
        monkeypatch.setattr(sys, "argv", ["retrieval", *typed, *ways, *where])
        retrieval.main()
        (file,) = (world / "retrieval").rglob(f"{query}-{gallery}.json")
        return json.loads(file.read_text())

    return run


def test_images_and_clouds_of_the_same_objects(command: Command, capsys) -> None:
    found = command("image", "points", "--source", "objects")
    assert (found["image_items"], found["points_items"], found["unreadable"]) == (8, 8, 0)
    for way in ("image_to_points", "points_to_image"):
        assert found[way].keys() == {"r1", "r5", "r10", "median_rank", "map", "queries", "items"}
        assert found[way]["r10"] == 1.0
    assert "image to points" in capsys.readouterr().out


def test_captions_find_their_samples_of_a_benchmark(command: Command) -> None:
    found = command("text", "points", "--benchmark", "points")
    assert found["text_to_points"]["queries"] == found["points_to_text"]["items"] == 8


def test_a_sample_finds_itself_in_a_second_source_by_its_key(command: Command, world: Path) -> None:
    shutil.copytree(world / "shards/objects", world / "shards/again")
    settings = yaml.safe_load((world / "params.yaml").read_text())
    settings["sources"]["again"] = settings["sources"]["objects"]
    (world / "params.yaml").write_text(yaml.safe_dump(settings))
    drop_first(world / "shards/again/test")
    found = command("points", "image", "--source", "objects", "again", "--split", "test")
    assert found["points_items"] == found["image_items"] == 7


def drop_first(folder: Path) -> None:
    index = read_index(folder)
    samples = list(read_shard(folder, index.shards[0]))[1:]
    shard = write_shard(folder / index.shards[0].name, samples)
    write_index(folder, replace(index, shards=[shard, *index.shards[1:]]))


class _Words:
    """A student whose text features are one-hot by the class's first letter."""

    def encode_text(self, prompts: list[str]) -> torch.Tensor:
        return torch.tensor([[float("ball" in text), float("stick" in text)] for text in prompts])


def test_without_captions_labels_are_the_texts(world: Path) -> None:
    params = tiny_params(world)
    index = read_index(world / "shards/objects/test")
    data = EncodedSplit(world, index, None, [torch.eye(2)[[0, 1, 1]]])
    data.texts.extend([SampleText((0,), ()), SampleText((1,), ()), SampleText((1,), ())])
    found = paired._with_texts(params, _Words(), {"points": data})
    assert found["text"].ids.tolist() == [0, 1]
    assert found["points"].ids.tolist() == [0, 1, 1]
    assert (found["points"].features @ found["text"].features.T).argmax(1).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("text", "text", "--source", "objects"), "expected two modalities"),
        (("depth", "points", "--source", "objects"), "encodes text and image, points"),
        (("points", "image", "--source", "renders"), "no chain feeds a points model"),
        (("text", "image", "--source", "rendered"), "unknown source 'rendered'"),
        (
            ("text", "image", "--source", "renders", "--split", "val"),
            "unknown split of renders .val.",
        ),
        (("text", "image", "--benchmark", "pointz"), "unknown benchmark 'pointz'"),
        (("points", "image", "--source", "objects", "renders"), "no sample has the same key"),
    ],
)
def test_what_cannot_be_is_one_line(command: Command, arguments: tuple, said: str) -> None:
    with pytest.raises(UserError, match=said):
        command(*arguments)

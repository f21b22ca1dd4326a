"""Which split a command takes of a source."""

from dataclasses import replace
from pathlib import Path

import pytest

from eval.splits import chosen_split
from pipeline.config import Params
from pipeline.errors import UserError
from tests.tiny_world import tiny_params


def with_splits(root: Path, *splits: str) -> Params:
    params = tiny_params(root)
    source = replace(params.sources["objects"], splits=splits)
    return replace(params, sources={**params.sources, "objects": source}, benchmarks={})


def test_the_first_of_the_wanted_kind_or_the_one_named(tmp_path: Path) -> None:
    params = with_splits(tmp_path, "train01", "val", "test01")
    assert chosen_split(params, "objects", None, "--split") == "val"
    assert chosen_split(params, "objects", None, "--split", training=True) == "train01"
    assert chosen_split(params, "objects", "test01", "--split", training=True) == "test01"


def test_a_source_without_that_kind_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="objects has the splits train alone; name one with --held"):
        chosen_split(with_splits(tmp_path, "train"), "objects", None, "--held-out")

"""Which split a command takes of a source."""

from types import SimpleNamespace

import pytest

from eval.splits import chosen_split
from pipeline.config import SourceConfig
from pipeline.errors import UserError


def with_splits(*splits: str) -> SimpleNamespace:
    source = SourceConfig(modality="image", converter="image_folder", raw="raw", splits=splits)
    return SimpleNamespace(sources={"objects": source})


def test_the_first_of_the_wanted_kind_or_the_one_named() -> None:
    params = with_splits("train01", "val", "test01")
    assert chosen_split(params, "objects", None, "--split") == "val"
    assert chosen_split(params, "objects", None, "--split", training=True) == "train01"
    assert chosen_split(params, "objects", "test01", "--split", training=True) == "test01"


def test_a_source_without_that_kind_says_what_it_has() -> None:
    with pytest.raises(UserError, match="objects has the splits train alone; name one with --held"):
        chosen_split(with_splits("train"), "objects", None, "--held-out")

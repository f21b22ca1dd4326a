"""Which of its texts a sample goes by."""

import pytest
import torch

from pipeline.errors import UserError
from pipeline.samples import SampleText
from pipeline.views import ViewRng
from stage2_train.stream import texts
from stage2_train.stream.texts import TextTable

TABLE = TextTable(torch.zeros(7, 4), {"objects": 2}, {"objects": 3}, {"a ball": 5, "round": 6})


def test_one_text_is_taken_without_a_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "ViewRng", lambda *name: pytest.fail("drawn"))
    assert TABLE.draw("objects", SampleText((1,), ("a ball", "round")), 0, "a", 0) == 3
    assert TABLE.draw("objects", SampleText((), ("round",)), 0, "a", 0) == 6


def test_one_of_several_is_drawn_from_the_views_own_stream() -> None:
    found = [TABLE.draw("objects", SampleText((0, 1, 2), ()), 5, "a", view) for view in range(8)]
    drawn = [2 + ViewRng(5, "a", view, "text").integer(3) for view in range(8)]
    assert found == drawn
    assert len(set(found)) > 1


def test_a_caption_that_its_index_does_not_tell_of_is_one_clear_line() -> None:
    with pytest.raises(UserError, match=r"'objects'.* index.json, .*'oval'.*--source objects$"):
        TABLE.draw("objects", SampleText((), ("oval",)), 0, "a", 0)

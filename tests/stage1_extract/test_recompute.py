"""Every extraction ends by computing a few of its rows again."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.shards import read_index, write_index
from stage1_extract.client import extract
from stage1_extract.extractor import Extractor
from stage1_extract.progress import ExtractionProgress
from stage1_extract.recompute import open_store, recomputed_cosines
from stage1_extract.verify import verify
from tests.stage1_extract.changed_shards import train_folder
from tests.tiny_world import FakeTeacher, tiny_params


class Moody(FakeTeacher):
    """Another feature for a sample alone than for one among others."""

    def encode(self, batch: torch.Tensor) -> torch.Tensor:
        features = super().encode(batch)
        return features if len(batch) > 1 else features.flip(-1)


class Spiky(FakeTeacher):
    """One dimension far above many others, which the steps of int8 then resolve badly."""

    dim, text_space = 512, None

    def encode(self, batch: torch.Tensor) -> torch.Tensor:
        phases = super().encode(batch).sum(-1, keepdim=True) + torch.arange(512)
        features = torch.sin(phases)
        features[:, 0] = 10.0
        return features


def run(params: Params, teacher: FakeTeacher, monkeypatch: pytest.MonkeyPatch) -> Extractor:
    monkeypatch.setattr("stage1_extract.extractor.teacher_of", lambda *_: teacher)
    extractor = Extractor(params)
    with ExtractionProgress("test") as progress:
        extract(params, ["fake-objects"], extractor, progress)
    return extractor


def stored_as(params: Params, dtype: str) -> Params:
    fake = replace(params.teachers["fake"], store=dtype)
    return replace(params, teachers={**params.teachers, "fake": fake})


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_a_sound_extraction_passes(
    prepared_world: Path, cache: str, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    params = stored_as(tiny_params(prepared_world, cache=cache), dtype)
    extraction = run(params, FakeTeacher(), monkeypatch).extraction("fake-objects")
    cosines = recomputed_cosines(extraction, [0, 1, 2], 20)
    assert len(cosines) == 20
    assert min(cosines) > 0.9999


def test_views_that_were_asked_for_once_and_no_longer_are_not_missed_in_a_new_tar(
    own_world: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = train_folder(own_world)
    index, params = read_index(folder), tiny_params(own_world, cache=cache)
    write_index(folder, replace(index, shards=index.shards[:2]))
    run(params, FakeTeacher(), monkeypatch)
    more = replace(params, views=replace(params.views, count=4))
    run(more, FakeTeacher(), monkeypatch)
    write_index(folder, index)
    extraction = run(params, FakeTeacher(), monkeypatch).extraction("fake-objects")
    verdict = verify(extraction, 20)
    assert verdict.good
    assert len(verdict.cosines) == 20
    with pytest.raises(UserError, match=r"000002.tar.1.json: no valid completion marker"):
        open_store(extraction).read(2, 3)


def test_a_teacher_that_contradicts_itself_stops_the_run(
    prepared_world: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = tiny_params(prepared_world, cache=cache)
    with pytest.raises(UserError, match=r"objects-train.zarr: .* expected 0.9999 or more; run: py"):
        run(params, Moody(), monkeypatch)


def test_a_teacher_that_int8_cannot_keep_is_told_the_way_out(
    prepared_world: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = stored_as(tiny_params(prepared_world, cache=cache), "int8")
    with pytest.raises(UserError, match=r"int8 loses too much of it: set teachers.fake.store to f"):
        run(params, Spiky(), monkeypatch)


def test_the_two_dtypes_are_two_stores(
    prepared_world: Path, cache: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    params = tiny_params(prepared_world, cache=cache)
    run(params, FakeTeacher(), monkeypatch)
    run(stored_as(params, "int8"), FakeTeacher(), monkeypatch)
    assert "another recipe's store was kept as" in capsys.readouterr().out

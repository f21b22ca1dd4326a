"""Every extraction ends by computing a few of its rows again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.shards import read_index, write_index
from stage1_extract.client import extract
from stage1_extract.extraction import Extraction
from stage1_extract.extractor import Extractor
from stage1_extract.progress import ExtractionProgress
from stage1_extract.proof import repair, verify
from stage1_extract.recompute import open_store, recomputed_cosines
from stage2_train.stream.targets import open_targets
from tests.stage1_extract.changed_shards import rewrite, train_folder
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
    with pytest.raises(UserError, match=r"objects-train.zarr: .* expected 0.9999 or more; put"):
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


class Drifted(FakeTeacher):
    """Its code changed after the extraction; what determines its numbers says nothing of it."""

    def preprocess(self, view: np.ndarray) -> torch.Tensor:
        return super().preprocess(view)[:, [1, 0, 2]]


class Mute(FakeTeacher):
    """Gives nothing finite any more."""

    def encode(self, batch: torch.Tensor) -> torch.Tensor:
        return super().encode(batch) * float("nan")


class Babel(FakeTeacher):
    """Its text tower speaks another language."""

    def encode_text(self, prompts: list[str]) -> torch.Tensor:
        return super().encode_text([prompt[::-1] for prompt in prompts])


@pytest.mark.parametrize("changed", [Drifted, Mute, Babel])
def test_a_teacher_that_drifted_is_found_in_every_extraction_and_by_stage_2(
    prepared_world: Path, cache: str, monkeypatch: pytest.MonkeyPatch, changed: type
) -> None:
    params = tiny_params(prepared_world, cache=cache)
    run(params, FakeTeacher(), monkeypatch)
    index = read_index(train_folder(prepared_world))
    with pytest.raises(UserError, match="--teacher fake --source objects --repair"):
        run(params, changed(), monkeypatch)
    with pytest.raises(UserError, match=r"drifted.json: the teacher no longer gives .* --repair"):
        open_targets(params, "fake-objects", index)
    run(params, FakeTeacher(), monkeypatch)
    open_targets(params, "fake-objects", index)


def test_repair_extracts_a_drifted_store_anew(
    prepared_world: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = tiny_params(prepared_world, cache=cache)
    run(params, FakeTeacher(), monkeypatch)
    changed = Extraction(params, "fake-objects", Drifted())
    verdict = verify(changed, 8)
    assert verdict.drifted
    assert not verdict.bad
    repair(changed, verdict)
    assert verify(changed, 8).good
    open_targets(params, "fake-objects", changed.index)


def test_a_failed_row_is_no_cosine(
    own_world: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mostly_broken(samples: list) -> list:
        broken = [(key, {**members, "points.npy": b""}) for key, members in samples[1:]]
        return [samples[0], *broken]

    rewrite(own_world, 0, mostly_broken)
    params = tiny_params(own_world, cache=cache)
    extraction = run(params, FakeTeacher(), monkeypatch).extraction("fake-objects")
    assert min(recomputed_cosines(extraction, [0], 3)) > 0.9999
    assert recomputed_cosines(Extraction(params, "fake-objects", Mute()), [0], 3) == [0.0] * 3

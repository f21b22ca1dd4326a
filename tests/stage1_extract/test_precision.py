"""Low precision: another store, nearly the same numbers, what overflows is a failed sample."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config import Params
from pipeline.errors import UserError
from stage1_extract.extraction import Extraction
from stage1_extract.proof import verify
from tests.conftest import extract
from tests.stage1_extract.changed_shards import opened, set_aside
from tests.tiny_world import FakeTeacher, tiny_params


class Scaling(FakeTeacher):
    """Multiplies by a matrix, which autocast does in the precision of the run."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.matrix = torch.eye(6) * factor

    def encode(self, batch: torch.Tensor) -> torch.Tensor:
        return super().encode(batch) @ self.matrix


def at(precision: str, root: Path, **changes: str) -> Params:
    params = tiny_params(root, **changes)
    teachers = {n: replace(each, precision=precision) for n, each in params.teachers.items()}
    return replace(params, teachers=teachers)


def test_bfloat16_is_another_store(world: Path) -> None:
    plain = Extraction(tiny_params(world), "fake-objects", FakeTeacher()).provenance
    assert plain.determines["teacher"]["precision"] == "float32"
    done = extract(at("bfloat16", world), "fake-objects")
    assert done.provenance.determines["teacher"]["precision"] == "bfloat16"
    assert done.provenance.fingerprint != plain.fingerprint
    assert set_aside(done).name == f".objects-train.{plain.fingerprint[:12]}.zarr"


def test_bfloat16_computes_in_it_and_is_verified_in_it(prepared_world: Path, cache: str) -> None:
    exact = extract(at("float32", prepared_world, cache=cache), "clip-objects")
    whole = opened(exact).read(0, 0).features.astype(np.float32)
    done = extract(at("bfloat16", prepared_world, cache=cache), "clip-objects")
    low = opened(done).read(0, 0).features.astype(np.float32)
    cosines = (whole * low).sum(1) / np.linalg.norm(whole, axis=1) / np.linalg.norm(low, axis=1)
    assert not np.array_equal(whole, low)
    assert cosines.min() > 0.99
    assert verify(done, rows=8).good


def test_an_overflow_in_bfloat16_is_a_failure(prepared_world: Path, cache: str) -> None:
    with pytest.raises(UserError, match="none of its 6 samples gives a finite feature of fake"):
        extract(at("bfloat16", prepared_world, cache=cache), "fake-objects", Scaling(3e38))

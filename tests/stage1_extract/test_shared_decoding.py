"""Teachers that share a source share its reading, and its views where they see the same ones."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import ExtractionConfig, Params
from pipeline.timing import read_timing, store_timing
from stage1_extract import shared_views
from stage1_extract.client import extract
from stage1_extract.extraction import store_folder
from stage1_extract.extractor import Extractor
from stage1_extract.progress import ExtractionProgress
from stage1_extract.recompute import SPOT_CHECK
from tests.pipeline.made_store import tree
from tests.tiny_world import tiny_params


@pytest.fixture
def twins(prepared_world: Path, cache: str) -> Params:
    """Two teachers of clouds over the objects, and CLIP over their paired images."""
    params = tiny_params(prepared_world, cache=cache)
    twin = replace(params.teachers["fake"], arch="twin", batch_size=6)
    pair = ExtractionConfig(teacher="twin", source="objects")
    return replace(
        params,
        teachers={**params.teachers, "twin": twin},
        extract={**params.extract, "twin-objects": pair},
    )


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """How many tars were read, each in one part, and how many members decoded."""
    counts: Counter = Counter()
    decode, read = shared_views.decode_member, shared_views.read_rows

    def decode_member(members: Mapping[str, bytes], member: str) -> Any:
        counts[member] += 1
        return decode(members, member)

    def read_rows(*arguments: Any) -> Any:
        counts["tars"] += 1
        return read(*arguments)

    monkeypatch.setattr(shared_views, "decode_member", decode_member)
    monkeypatch.setattr(shared_views, "read_rows", read_rows)
    return counts


def run(params: Params, *names: str) -> None:
    with ExtractionProgress("") as progress:
        extract(params, names, Extractor(params), progress)


def test_one_decode_serves_every_teacher_of_the_same_views(
    twins: Params, loaded: list, counted: Counter
) -> None:
    run(twins, "fake-objects", "clip-objects", "twin-objects")
    assert counted == {"tars": 3, "points": 16, "image": 16}
    batches = [teacher.batches - SPOT_CHECK for teacher in loaded]
    assert batches == [5, 6]  # of 4 and of 3 samples


def test_together_and_alone_give_the_same_bytes(
    twins: Params, loaded: list, tmp_path: Path, cache: str
) -> None:
    names = ["twin-objects", "clip-objects", "fake-objects"]
    run(twins, *names)
    for name in names:
        run(replace(twins, cache=str(tmp_path / "alone")), name)
    assert tree(Path(cache)) == tree(tmp_path / "alone")


def test_a_tar_is_put_to_those_alone_that_lack_it(
    twins: Params, loaded: list, counted: Counter, cache: str
) -> None:
    run(twins, "fake-objects", "twin-objects")
    before = tree(Path(cache))
    (Path(cache) / "twin" / "objects-train.zarr" / "markers" / "000001.tar.0.json").unlink()
    counted.clear(), loaded.clear()
    run(twins, "fake-objects", "twin-objects")
    assert counted == {"tars": 1, "points": 6}
    assert [teacher.batches for teacher in loaded] == [SPOT_CHECK, 2 + SPOT_CHECK]
    assert tree(Path(cache)) == before


def test_stores_that_are_filled_together_share_the_seconds_that_it_took(
    twins: Params, loaded: list
) -> None:
    names = ("fake-objects", "twin-objects")
    run(twins, *names)
    paths = [store_folder(twins, name) for name in names]
    one, other = (read_timing(store_timing(path)) for path in paths)
    assert 0 < one.seconds == pytest.approx(other.seconds, abs=0.1)
    run(twins, *names)
    assert read_timing(store_timing(paths[0])) == one  # nothing was lacking

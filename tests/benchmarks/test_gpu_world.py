"""The made world of `benchmarks.gpu`: media as they are stored, and tars that are there again."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import gpu_cores
from benchmarks.gpu_world import PAIRS, repeated, stored
from pipeline.rows import read_rows
from pipeline.samples import check_member
from pipeline.shards import write_shard


@pytest.mark.parametrize("source", [name for name in PAIRS if name != "clips"])  # a second to make
def test_a_sample_holds_what_its_views_are_made_of(source: str) -> None:
    modality, _ = PAIRS[source]
    check_member(stored(source), modality)


def test_tars_that_are_there_again_are_read_as_the_first(tmp_path: Path) -> None:
    samples = [(f"key-{n}", {"points.npy": bytes([n] * 9)}) for n in range(4)]
    tars = [write_shard(tmp_path / f"{n:06}.tar", samples[2 * n : 2 * n + 2]) for n in range(2)]
    again = list(repeated(tmp_path, tars, 3))
    assert [tar.name for tar in again] == [f"{n:06}.tar" for n in range(2, 6)]
    for number, tar in enumerate(again):
        assert read_rows(tmp_path, tar, [0, 1]) == read_rows(tmp_path, tars[number % 2], [0, 1])


def test_what_all_cores_make_is_counted_in_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([10.0, 12.0])
    monkeypatch.setattr(gpu_cores.time, "perf_counter", lambda: next(seconds))
    work = gpu_cores.Counted(np.square, int)  # four tasks of 3, 5, 3 and 5 samples, in 2 s
    assert gpu_cores.all_cores_rate(work, [3, 5], cores=1, samples=12) == 8

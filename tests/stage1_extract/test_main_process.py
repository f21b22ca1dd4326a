"""The process with the teachers: it leaves all that it can to others while a GPU computes."""

from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.views import ViewMaker, chain_for
from stage1_extract import forward_pass, tar_task
from stage1_extract.extraction import Extraction
from stage1_extract.forward_pass import ForwardPass
from stage1_extract.progress import ExtractionProgress
from stage1_extract.shared_views import TarRows, ViewsTask, Wanted, seen_samples
from stage1_extract.tar_encoder import TarEncoder
from stage1_extract.teachers import load_teacher
from tests.conftest import extract
from tests.pipeline.made_store import tree
from tests.tiny_world import FakeTeacher, tiny_params


def test_a_tar_is_encoded_while_the_one_before_is_written(
    prepared_world: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    later, write = Event(), Extraction.write

    class Teacher(FakeTeacher):
        def encode(self, batch: torch.Tensor) -> torch.Tensor:
            if self.batches >= 2:  # those of the first tar
                later.set()
            return super().encode(batch)

    def waits(self: Extraction, task: Any, data: Any) -> int:
        assert later.wait(60)
        return write(self, task, data)

    monkeypatch.setattr(Extraction, "write", waits)
    extract(tiny_params(prepared_world, cache=cache), "fake-objects", Teacher())


def test_beside_a_gpu_torch_copies_in_one_thread(
    prepared_world: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()

    class Teacher(FakeTeacher):
        def preprocess(self, view: np.ndarray) -> torch.Tensor:
            found.add(torch.get_num_threads())
            return super().preprocess(view)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr(tar_task, "default_device", lambda: "cuda")
    extract(tiny_params(prepared_world, cache=cache), "fake-objects", Teacher())
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert (found, after) == ({1}, 2)


def test_views_are_handed_on_by_the_process_that_makes_them(prepared_world: Path) -> None:
    done = Extraction(tiny_params(prepared_world), "fake-objects", FakeTeacher())
    tar = TarRows(done.folder, done.index.shards[0], range(2))
    whole, short = (
        seen_samples(ViewsTask(tar, (Wanted(done.maker, range(2), handed_on),)))
        for handed_on in (lambda view: view, lambda view: view[:3])
    )
    for one, other in zip(whole, short, strict=True):
        for view, cut in zip(one.views[0], other.views[0], strict=True):
            assert np.array_equal(view.array[:3], cut.array)
            assert view.content_digest == cut.content_digest  # of the canonical view


@pytest.mark.filterwarnings("ignore:.*CUDA is not available")
def test_pixels_that_cross_as_bytes_give_the_same_store(
    prepared_world: Path, cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(tiny_params(prepared_world, cache=cache), "clip-renders")
    teacher = load_teacher("clip", arch=f"local-dir:{prepared_world / 'clip'}")
    monkeypatch.setattr(forward_pass, "default_device", lambda: "cuda")
    monkeypatch.setattr(ForwardPass, "room", lambda self, row: torch.empty(16, *row.shape).byte())
    monkeypatch.setattr(ForwardPass, "on_gpu", lambda self, rows: self.teacher.prepare(rows))
    params = tiny_params(prepared_world, cache=str(tmp_path / "raw"))
    with ExtractionProgress("") as progress:
        Extraction(params, "clip-renders", teacher).run(progress, workers=1)
    assert tree(Path(cache)) == tree(tmp_path / "raw")


def test_rows_of_another_shape_are_not_spread_over_a_batch(tmp_path: Path) -> None:
    maker = ViewMaker(chain_for("points", "points"), 0, tiny_params(tmp_path).views)
    encoder = TarEncoder(ForwardPass(FakeTeacher(), maker, 4, "float32", range(1)))
    cloud = np.zeros((8, 3), np.float32)
    view = maker(np.random.default_rng(0).uniform(size=(90, 3)).astype(np.float32), "a", 0)
    encoder.add("a", [view])
    with pytest.raises(AssertionError):
        encoder.add("b", [type(view)(cloud[:1], 0, 0)])

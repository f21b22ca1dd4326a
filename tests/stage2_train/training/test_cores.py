"""The loader's threads keep cores of their own."""

from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from stage2_train.training import cores
from stage2_train.training.cores import spare_cores


@pytest.fixture(autouse=True)
def four_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(4)
    with threadpool_limits(2, user_api="blas"):
        yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("loaders", "left"), [(1, 3), (3, 1), (9, 1)])
def test_torch_keeps_what_the_loader_leaves(loaders: int, left: int) -> None:
    spare_cores(loaders)
    assert torch.get_num_threads() == left


def test_beside_a_gpu_one_thread_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "default_device", lambda: "cuda")
    cores.spare_cores(1)
    assert torch.get_num_threads() == 1


def test_a_number_that_was_asked_for_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    spare_cores(1)
    assert torch.get_num_threads() == 4


def test_products_of_numpy_stay_in_the_thread_that_asks() -> None:
    spare_cores(1)
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert blas
    assert set(blas) == {1}

"""ReCon's sampling and block, without the full-size weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stage1_extract.teachers.recon import CARDS, ReConBlock, ReConTeacher, ReConZeroShot


@pytest.fixture(scope="module")
def teacher() -> ReConTeacher:
    with torch.device("meta"):
        return ReConTeacher(CARDS[0], Path("none"), ReConZeroShot())


def test_sampling_is_a_pure_function_of_the_view(teacher):
    view = np.random.default_rng(0).uniform(-0.5, 0.5, (3000, 6)).astype(np.float32)
    first = teacher.preprocess(view)
    np.random.random(7)  # noqa: NPY002 - the global generator must not matter
    assert torch.equal(first, teacher.preprocess(view))
    assert first.shape == (1024, 3)
    assert len(first.unique(dim=0)) == 1024


def test_a_small_cloud_is_kept_as_it_is(teacher):
    view = np.random.default_rng(0).uniform(-0.5, 0.5, (1024, 3)).astype(np.float32)
    assert np.array_equal(teacher.preprocess(view), view)


def test_queries_see_patches_and_neither_stream_sees_the_queries():
    block = ReConBlock().eval()
    generator = torch.Generator().manual_seed(0)
    queries, patches = (torch.randn(1, n, 384, generator=generator) for n in (3, 8))
    base_queries, base_patches = block(queries, patches)
    changed = queries.clone()
    changed[:, 0] += 1.0 + torch.randn(384, generator=generator)
    new_queries, new_patches = block(changed, patches)
    assert torch.equal(new_patches, base_patches)
    torch.testing.assert_close(new_queries[:, 1:], base_queries[:, 1:])
    moved, _ = block(queries, patches.flip(2))
    assert not torch.allclose(moved, base_queries)

"""Farthest points: numpy, the torch steps, and the fused kernel by Triton's interpreter."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.farthest_points import _picks_in_torch, farthest_points
from pipeline.farthest_points_numpy import farthest_points_of

BY_THE_KERNEL = """
import torch
from pipeline.farthest_points import farthest_points
from pipeline.farthest_points_kernel import fused_picks
xyz = torch.randn(4, 300, 3, generator=torch.Generator().manual_seed(0))
xyz[1, 100:280] = xyz[1, :1]
xyz[2, 5:] *= 1e-3
xyz[3] = (xyz[3] * 2).round() / 2
eligible = (xyz * xyz).sum(-1) > 1e-3
eligible[0, :] = False
distance = torch.where(eligible, torch.inf, -1.0)
assert torch.equal(fused_picks(xyz, distance, 150), farthest_points(xyz, eligible, 150))
"""


def by_definition(xyz: np.ndarray, count: int, first: int) -> list[int]:
    """Every step from all points picked before, in float32."""
    picks = [first]
    while len(picks) < count:
        x, y, z = np.square(xyz[:, None] - xyz[picks]).transpose(2, 0, 1)
        picks.append(int((x + y + z).min(axis=1).argmax()))
    return picks


@settings(max_examples=50)
@given(st.integers(0, 1000), st.sampled_from(["random", "lattice", "duplicated"]))
def test_picks_are_those_of_the_definition_the_lowest_among_equals(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    xyz = rng.normal(size=(40, 3)).astype(np.float32)
    if kind == "lattice":
        xyz = xyz.round()
    elif kind == "duplicated":
        xyz[rng.integers(0, 40, 30)] = xyz[0]
    for first in (0, 39):
        expected = by_definition(xyz, 25, first)
        assert farthest_points_of(xyz, 25, first=first).tolist() == expected


@pytest.mark.parametrize("points", [64, 1000, 8192])
def test_numpy_rounds_as_torch_does(points: int) -> None:
    """A fused multiply-add would pick other points of a random cloud before long."""
    xyz = torch.randn(2, points, 3, generator=torch.Generator().manual_seed(points))
    eligible = xyz[..., 0] > -1
    steps = _picks_in_torch(xyz, torch.where(eligible, torch.inf, -1.0), 300)
    assert torch.equal(farthest_points(xyz, eligible, 300), steps)


def test_points_infinitely_far_apart_are_picked_without_a_warning() -> None:
    xyz = np.array([[0, 0, 0], [1, 0, 0], [3e38, 0, 0], [-3e38, 0, 0]], np.float32)
    assert farthest_points_of(xyz, 3).tolist() == [0, 2, 3]


def test_the_fused_kernel_picks_the_same_with_duplicates_ties_and_points_left_out() -> None:
    """In a process of its own: Triton reads the setting when it is imported."""
    pytest.importorskip("triton")
    interpreted = os.environ | {"TRITON_INTERPRET": "1"}
    subprocess.run([sys.executable, "-c", BY_THE_KERNEL], env=interpreted, check=True)

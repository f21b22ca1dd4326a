"""Farthest points on a device: the torch steps, and the fused kernel by Triton's interpreter."""

import os
import subprocess
import sys

import fpsample
import numpy as np
import pytest
import torch

from pipeline.farthest_points import farthest_points

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


def test_they_agree_with_fpsample() -> None:
    points = np.random.default_rng(3).normal(size=(1000, 3)).astype(np.float32)
    expected = fpsample.fps_sampling(points, 64, start_idx=0).astype(np.int64)
    every = torch.ones(1, 1000, dtype=torch.bool)
    found = farthest_points(torch.from_numpy(points)[None], every, 64)
    assert found[0].tolist() == expected.tolist()


def test_the_fused_kernel_picks_the_same_with_duplicates_ties_and_points_left_out() -> None:
    """In a process of its own: Triton reads the setting when it is imported."""
    pytest.importorskip("triton")
    interpreted = os.environ | {"TRITON_INTERPRET": "1"}
    subprocess.run([sys.executable, "-c", BY_THE_KERNEL], env=interpreted, check=True)

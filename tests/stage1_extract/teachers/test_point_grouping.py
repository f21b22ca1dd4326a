"""Farthest points with pointnet2's rule, neighbours, and patches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.farthest_points import _picks_in_torch
from stage1_extract.teachers.point_grouping import (
    farthest_points,
    group_points,
    nearest_points,
    take_points,
)

GOLDEN = np.load(
    Path(__file__).parents[2] / "golden" / "pointcloud_multimae_preprocess.npz", allow_pickle=False
)


def _official_cloud() -> np.ndarray:
    g = np.random.Generator(np.random.PCG64(500))
    g.standard_normal((2048, 3))
    p = g.standard_normal((600, 3))
    p /= np.linalg.norm(p, axis=-1, keepdims=True)
    p[100:200] *= 0.02  # within the ball that is never picked
    p[299] = -p[0]
    p[300:320] = p[299]  # exact ties
    return p.astype(np.float32)


def _in_torch(xyz: torch.Tensor, count: int) -> torch.Tensor:
    eligible = (xyz * xyz).sum(-1) > 1e-3
    return _picks_in_torch(xyz, torch.where(eligible, torch.inf, -1.0), count)


@pytest.mark.parametrize("sample", [farthest_points, _in_torch], ids=["numpy", "torch"])
@pytest.mark.parametrize("inside", [False, True], ids=["start outside", "start inside"])
def test_golden_picks_with_ties_and_a_start_inside_the_skipped_ball(sample, inside):
    cloud = _official_cloud()
    if inside:
        cloud[[0, 150]] = cloud[[150, 0]]
    golden = GOLDEN["fps_idx_64_start_inside" if inside else "fps_idx_64"]
    assert np.array_equal(sample(torch.from_numpy(cloud)[None], 64)[0], golden)


def test_golden_picks_without_the_skip():
    picks = farthest_points(torch.from_numpy(_official_cloud())[None], 64, skip_near_origin=False)
    assert np.array_equal(picks[0], GOLDEN["fps_idx_64_NOSKIP"])


def _by_the_rule(xyz: np.ndarray, count: int) -> list[int]:
    eligible = (xyz * xyz).sum(-1) > 1e-3
    distance, picks = np.full(len(xyz), 1e10, np.float32), [0]
    while len(picks) < count:
        distance = np.minimum(distance, np.square(xyz - xyz[picks[-1]]).sum(-1))
        best = int(np.where(eligible, distance, -1).argmax())
        picks.append(best if eligible.any() else 0)
    return picks


coordinates = st.sampled_from([0.0, 0.25, -0.5, 1.0])  # exact squares, so ties are exact


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(coordinates, coordinates, coordinates), min_size=1, max_size=12))
def test_both_samplers_follow_the_rule_on_ties_duplicates_and_exhaustion(points):
    xyz = np.array(points, np.float32)
    expected = _by_the_rule(xyz, 9)
    assert farthest_points(torch.from_numpy(xyz)[None], 9).tolist() == [expected]
    assert _in_torch(torch.from_numpy(xyz)[None], 9).tolist() == [expected]


def test_neighbours_are_the_nearest():
    generator = torch.Generator().manual_seed(0)
    xyz = torch.randn(2, 50, 3, generator=generator)
    found = nearest_points(xyz, xyz[:, :4].contiguous(), 5).sort(-1).values
    exact = torch.cdist(xyz[:, :4].double(), xyz.double()).argsort(-1)[..., :5].sort(-1).values
    assert torch.equal(found, exact)


def test_patches_are_relative_to_their_centre_and_keep_colour():
    points = torch.rand(2, 100, 6, generator=torch.Generator().manual_seed(0))
    centres, patches = group_points(points, 8, 5)
    assert patches.shape == (2, 8, 5, 6)
    xyz = points[..., :3].contiguous()
    assert torch.equal(centres, take_points(xyz, farthest_points(xyz, 8)))
    back = patches[..., :3] + centres[:, :, None]
    colours = {tuple(row) for row in points[0, :, 3:].tolist()}
    assert {tuple(row) for row in patches[0, :, :, 3:].flatten(0, 1).tolist()} <= colours
    assert torch.cdist(back[0].flatten(0, 1).double(), xyz[0].double()).amin(1).max() < 1e-6


def test_grouping_stays_float32_under_autocast():
    points = torch.rand(1, 400, 3, generator=torch.Generator().manual_seed(0))
    plain = group_points(points, 16, 8)
    with torch.autocast("cpu", torch.bfloat16):
        within = group_points(points, 16, 8)
    assert all(torch.equal(a, b) for a, b in zip(plain, within, strict=True))

"""Tokenizers: groups are pure functions of the cloud, the same on the CPU and on a device."""

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from torch import Generator

from pipeline.errors import UserError
from pipeline.openclip import OpenClip
from stage2_train.student import Student
from stage2_train.student.tokenizers import points
from stage2_train.student.tokenizers.grouping import (
    _group_on_device,
    group_batch,
    group_points,
)
from stage2_train.student.tokenizers.points import MiniPointNet


def cloud(seed: int, count: int = 300, columns: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, columns)).astype(np.float32)


def test_groups_are_the_nearest_points_of_farthest_centres() -> None:
    points = cloud(0)
    neighbourhoods, centres = group_points(points, 20, 6)
    assert np.array_equal(centres[0], points[0])
    gaps = cKDTree(centres).query(centres, 2)[0][:, 1]
    reach = cKDTree(centres).query(points)[0].max()
    assert gaps.min() >= reach  # farthest points are further apart than any point is from them
    distances = np.linalg.norm(points - centres[7], axis=1)
    found = np.linalg.norm(neighbourhoods[7], axis=1)
    np.testing.assert_allclose(np.sort(found), np.sort(distances)[:6], rtol=1e-5, atol=1e-6)


def test_grouping_reads_xyz_only_and_repeats_exactly() -> None:
    points = cloud(1, columns=6)
    first, again = group_points(points, 10, 5), group_points(points[:, :3].copy(), 10, 5)
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert first[0].dtype == first[1].dtype == np.float32


@pytest.mark.parametrize("dropped", [False, True])
def test_the_device_path_makes_the_same_groups(dropped: bool) -> None:
    points = np.stack([cloud(seed, 500) for seed in range(3)])
    if dropped:  # as ULIP's augmentation: dropped points are copies of the first
        points[:, 100:400] = points[:, :1]
    here, there = (
        group_batch(torch.from_numpy(points), 32, 8),
        _group_on_device(torch.from_numpy(points), 32, 8),
    )
    assert torch.equal(here[1], there[1])
    lengths = [pair[0].norm(dim=-1).sort(-1).values for pair in (here, there)]
    torch.testing.assert_close(*lengths)


def test_a_cloud_with_too_few_points_is_refused() -> None:
    with pytest.raises(UserError, match="cloud of 9 points cannot give 10 groups of 4"):
        group_points(cloud(4, 9), 10, 4)


def test_mini_pointnet_ignores_order_and_scale_but_not_shape() -> None:
    net = MiniPointNet((8, 16, 16), 32, Generator().manual_seed(0))
    x = torch.randn(2, 5, 6, 3, generator=Generator().manual_seed(1))
    tokens = net(x)
    assert tokens.shape == (2, 5, 32)
    torch.testing.assert_close(net(x.flip(2)), tokens)
    torch.testing.assert_close(net(x * 7), tokens)
    assert not torch.allclose(net(x * torch.tensor([1.0, 1, 3])), tokens, atol=1e-3)


def test_mini_pointnet_is_the_plain_joint_layer_over_group_and_point() -> None:
    net = MiniPointNet((4, 6, 5), 3, Generator().manual_seed(0))
    x = torch.randn(1, 1, 7, 3, generator=Generator().manual_seed(1))
    x = x / x.square().mean().sqrt()
    local = net.local(net.point(x).relu())
    both = torch.cat((local.amax(2, keepdim=True).expand_as(local), local), dim=-1)
    expected = net.out(net.group(net.joint(both).relu()).amax(2))
    torch.testing.assert_close(net(x), expected)


def test_weights_get_the_same_gradient_whichever_of_equal_points_is_the_largest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = MiniPointNet((8, 16, 16), 32, Generator().manual_seed(0))
    groups = torch.randn(2, 5, 6, 3, generator=Generator().manual_seed(1)).repeat(1, 1, 2, 1)
    gradients = []
    for rule in (points.largest, lambda x: x.max(1).values):
        monkeypatch.setattr(points, "largest", rule)
        net.zero_grad()
        net(groups).square().sum().backward()
        gradients.append([p.grad for p in net.parameters()])
    for shared, whole in zip(*gradients):
        torch.testing.assert_close(whole, shared, rtol=1e-4, atol=1e-4)


def test_points_tokens_do_not_depend_on_the_rest_of_the_batch(student: Student) -> None:
    clouds = torch.from_numpy(np.stack([cloud(5), cloud(6)]))
    tokenizer = student.tokenizers["points"].train()
    together = tokenizer(student.visual, clouds)
    assert together.shape == (2, 1 + 8, 32)
    torch.testing.assert_close(tokenizer(student.visual, clouds[:1]), together[:1])
    pairs = tuple(torch.from_numpy(a)[None] for a in group_points(clouds[1].numpy(), 8, 4))
    torch.testing.assert_close(tokenizer(student.visual, pairs), together[1:])


def test_raw_image_views_are_normalised_as_clip_does(student: Student, openclip: OpenClip) -> None:
    views = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32), dtype=np.uint8)
    expected = torch.stack([openclip.preprocess(view) for view in views])
    tokenizer = student.tokenizers["image"]
    raw = tokenizer(student.visual, torch.from_numpy(views))
    assert torch.equal(raw, tokenizer(student.visual, expected))


def test_an_image_of_another_size_is_refused(student: Student) -> None:
    with pytest.raises(UserError, match=r"\[B, 3, 32, 32\], found \[1, 3, 64, 64\]"):
        student("image", torch.zeros(1, 3, 64, 64))

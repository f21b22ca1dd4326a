"""Depth tokens: disparity as a one-channel image, alone or beside an image's own tokens."""

import pytest
import torch

from pipeline.errors import UserError
from stage2_train.student import Student
from stage2_train.student.tokenizers.depth import FARTHEST, MEAN, STD
from tests.stage2_train.student.made_batches import disparities, images

PATCHES = 4


def test_depth_alone_starts_as_the_grey_picture_of_itself(five: Student) -> None:
    scaled = (disparities() / FARTHEST - MEAN) / STD
    grey = five.tokenizers["image"](five.visual, scaled.expand(-1, 3, -1, -1))
    tokens = five.tokenizers["depth"](five.visual, disparities())
    assert tokens.shape == (3, 1 + PATCHES, 32)
    torch.testing.assert_close(tokens, grey, rtol=1e-4, atol=1e-5)


def test_rgbd_has_both_kinds_of_tokens_behind_one_class_token(five: Student) -> None:
    depth, image = five.tokenizers["depth"], five.tokenizers["image"]
    both = depth(five.visual, (images(), disparities()))
    assert both.shape == (3, 1 + 2 * PATCHES, 32)
    torch.testing.assert_close(both[:, 1 : 1 + PATCHES], image(five.visual, images())[:, 1:])
    alone = depth(five.visual, disparities())
    assert torch.equal(both[:, 1 + PATCHES :], alone[:, 1:])
    assert torch.equal(both[:, :1], alone[:, :1])


def test_the_student_encodes_depth_alone_and_rgbd(five: Student) -> None:
    alone = five.encode("depth", disparities().numpy())
    pair = five.encode("depth", (images().numpy(), disparities().numpy()))
    assert alone.shape == pair.shape == (3, 16)
    assert not torch.allclose(alone, pair)


def test_image_and_depth_have_patches_and_positions_of_their_own(five: Student) -> None:
    tokenizer = five.tokenizers["depth"]
    before = tokenizer(five.visual, (images(), disparities()))
    tokenizer.positions.data[0, 0] += 1
    tokenizer.patch_weight.data[0] += 1
    changed = (tokenizer(five.visual, (images(), disparities())) != before).any(-1).any(0)
    assert changed.tolist() == [False] * (1 + PATCHES) + [True] * PATCHES


def test_disparities_are_clamped_as_vit_lens_does(five: Student) -> None:
    far, near = torch.zeros(1, 1, 32, 32), torch.full((1, 1, 32, 32), 900.0)
    for beyond, limit in ((far, 0.01), (near, 75.0)):
        expected = five.encode("depth", torch.full((1, 1, 32, 32), limit))
        assert torch.equal(five.encode("depth", beyond), expected)


@pytest.mark.parametrize("shape", [(2, 4, 32, 32), (2, 1, 64, 64), (2, 32, 32)])
def test_a_map_of_another_size_is_refused(five: Student, shape: tuple[int, ...]) -> None:
    message = r"disparities \[B, 1, 32, 32\], found \[" + ", ".join(map(str, shape))
    with pytest.raises(UserError, match=message + r"\]; give RGB-D as \(images") as error:
        five.encode("depth", torch.zeros(shape))
    assert "\n" not in str(error.value)

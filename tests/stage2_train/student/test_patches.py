"""Patches of an image: a product over their pixels is the convolution that CLIP has."""

import torch
import torch.nn.functional as F

from stage2_train.student.tokenizers.patches import patch_embeddings, pixels_of_patches
from tests.stage2_train.student.made_batches import uniform


def test_a_product_over_a_patchs_pixels_is_the_convolution() -> None:
    images, weight = uniform(2, 3, 32, 48), uniform(5, 3, 16, 16, seed=1)
    found = F.linear(pixels_of_patches(images, 16), weight.flatten(1))
    assert found.shape == (2, 2 * 3, 5)
    torch.testing.assert_close(found, patch_embeddings(images, weight))

"""MultiMAE's inputs, without the full-size weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from stage1_extract.teachers.multimae import CARDS, MultiMaeTeacher, MultiViT, standardise_depth


@pytest.fixture(scope="module")
def teacher() -> MultiMaeTeacher:
    with torch.device("meta"):
        return MultiMaeTeacher(CARDS[0], Path("none"), MultiViT())


def test_an_image_view_is_normalised_with_imagenets_constants(teacher):
    white = teacher.preprocess(np.full((3, 32, 32), 255, np.uint8))
    expected = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    torch.testing.assert_close(white.amax((1, 2)), torch.tensor(expected))


def test_standardisation_ignores_outliers_scale_and_offset():
    depth = torch.rand(1, 40, 40, generator=torch.Generator().manual_seed(0))
    depth[0, 0, :10] = 1e6  # within the tenth that is left out
    standard = standardise_depth(depth)
    torch.testing.assert_close(standardise_depth(3 * depth + 7), standard, rtol=1e-3, atol=1e-3)
    assert standard[0, 1:].abs().max() < 5


def test_a_flat_depth_map_stays_finite():
    assert standardise_depth(torch.full((1, 8, 8), 2.0)).abs().max() == 0


@pytest.mark.parametrize("shape", [(1, 2, 32, 32), (1, 1, 30, 32)])
def test_a_batch_of_another_form_is_refused(teacher, shape):
    with pytest.raises(UserError, match="takes depth"):
        teacher.encode(torch.zeros(shape))


def test_there_is_no_text_space(teacher):
    assert teacher.encode_text(["a bed"]) is None

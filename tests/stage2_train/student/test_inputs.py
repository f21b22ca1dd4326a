"""Views that a loader leaves raw for a GPU give the tokens of those it finishes."""

import numpy as np
import torch

from stage2_train.student import Student
from stage2_train.student.inputs import raw_input, student_input, tokenizer_input
from tests.stage2_train.student.conftest import EVERY_MODALITY
from tests.stage2_train.student.test_tokenizers_audio import view


def tokens(five: Student, modality: str, made: tuple[torch.Tensor, ...]) -> torch.Tensor:
    batch = tokenizer_input(tuple(part[None] for part in made))
    return five.tokenizers[modality](five.visual, batch)


def test_a_raw_cloud_is_grouped_by_the_tokenizer(five: Student) -> None:
    cloud = np.random.default_rng(0).uniform(-1, 1, (60, 6)).astype(np.float32)
    raw, ready = (make("points", cloud, EVERY_MODALITY) for make in (raw_input, student_input))
    assert raw[0].shape == (60, 3)
    torch.testing.assert_close(tokens(five, "points", raw), tokens(five, "points", ready))


def test_a_raw_sound_keeps_its_masks_and_noise(five: Student) -> None:
    raw, ready = (make("audio", view(), EVERY_MODALITY) for make in (raw_input, student_input))
    found, expected = (tokens(five, "audio", made) for made in (raw, ready))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)

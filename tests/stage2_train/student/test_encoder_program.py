"""The exported program of each modality gives what the student gives, for any batch size."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from stage2_train.student import Student
from stage2_train.student.encoder_program import write_program
from stage2_train.student.tokenizers import group_points
from tests.stage2_train.student.conftest import EVERY_MODALITY
from tests.stage2_train.student.made_batches import every_batch, uniform
from tests.stage2_train.student.test_student import train_a_little


def batch_of(student: Student, modality: str, count: int) -> tuple[torch.Tensor, ...]:
    made = every_batch(count)[modality]
    if modality == "points":
        pairs = [group_points(cloud, 8, 4) for cloud in made.numpy()]
        return tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*pairs))
    if modality == "audio":
        return (uniform(count, student.tokenizers["audio"].frames, 128),)
    return (made,)


@pytest.mark.parametrize("modality", EVERY_MODALITY.modalities)
def test_a_program_encodes_as_the_student(five: Student, modality: str, tmp_path: Path) -> None:
    write_program(train_a_little(five), modality, tmp_path / "encoder.pt2")
    program = torch.export.load(tmp_path / "encoder.pt2")
    assert not [name for name in program.state_dict if "token_embedding" in name]
    encode = program.module()
    for count in (1, 2, 5):
        parts = batch_of(five, modality, count)
        expected = five.encode(modality, parts if len(parts) > 1 else parts[0])
        torch.testing.assert_close(encode(*parts), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("modality", "out", "told"),
    [
        ("imag", "x.pt2", "unknown modality 'imag'; did you mean 'image'"),
        ("image", "x.onnx", "--out x.onnx: expected a file that ends in .pt2"),
    ],
)
def test_wrong_requests_are_one_line(five: Student, modality: str, out: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        write_program(five, modality, Path(out))

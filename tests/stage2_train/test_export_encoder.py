"""The exported program of each modality gives what the student gives, for any batch size."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from pipeline.openclip import OpenClip, load_openclip
from stage2_train import export_encoder
from stage2_train.student import Student
from stage2_train.student.tokenizers import group_points
from tests.stage2_train.student.conftest import EVERY_MODALITY, VIEWS
from tests.stage2_train.student.made_batches import every_batch, uniform
from tests.stage2_train.student.test_student import train_a_little
from tests.tiny_world import make_clip


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Student:
    openclip: OpenClip = load_openclip(f"local-dir:{make_clip(tmp_path_factory.mktemp('c') / 'x')}")
    student = train_a_little(Student(openclip, EVERY_MODALITY, views=VIEWS)).eval()
    student.save(tmp_path_factory.getbasetemp() / "exported-student")
    return student


def batch_of(student: Student, modality: str, count: int) -> tuple[torch.Tensor, ...]:
    made = every_batch(count)[modality]
    if modality == "points":
        pairs = [group_points(cloud, 8, 4) for cloud in made.numpy()]
        return tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*pairs))
    if modality == "audio":
        return (uniform(count, student.tokenizers["audio"].frames, 128),)
    return (made,)


@pytest.mark.parametrize("modality", EVERY_MODALITY.modalities)
def test_a_program_encodes_as_the_student(
    student: Student, modality: str, tmp_path: Path, tmp_path_factory, monkeypatch
) -> None:
    folder, out = tmp_path_factory.getbasetemp() / "exported-student", tmp_path / "encoder.pt2"
    typed = ["export", "--ckpt", str(folder), "--modality", modality, "--out", str(out)]
    monkeypatch.setattr(sys, "argv", typed)
    export_encoder.main()
    encode = torch.export.load(out).module()
    for count in (1, 2, 5):
        parts = batch_of(student, modality, count)
        expected = student.encode(modality, parts if len(parts) > 1 else parts[0])
        torch.testing.assert_close(encode(*parts), expected, rtol=1e-4, atol=1e-4)


def test_wrong_requests_are_one_line(student: Student, tmp_path_factory, monkeypatch) -> None:
    folder = str(tmp_path_factory.getbasetemp() / "exported-student")
    for modality, out, told in (
        ("imag", "x.pt2", "unknown modality 'imag'; did you mean 'image'"),
        ("image", "x.onnx", "--out x.onnx: expected a file that ends in .pt2"),
    ):
        typed = ["export", "--ckpt", folder, "--modality", modality, "--out", out]
        monkeypatch.setattr(sys, "argv", typed)
        with pytest.raises(UserError, match=told):
            export_encoder.main()

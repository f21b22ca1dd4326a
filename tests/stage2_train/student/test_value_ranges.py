"""What a user would give by mistake is refused before the student answers for it."""

import pytest
import torch
from torch import Tensor

from pipeline.errors import UserError
from stage2_train.student import Student
from stage2_train.student.value_ranges import check_values

SEEDED = torch.Generator().manual_seed(0)
PIXELS = torch.randint(0, 256, (2, 3, 32, 32), generator=SEEDED)
SPHERE = torch.nn.functional.normalize(torch.randn(2, 64, 3, generator=SEEDED), dim=-1)
NOISE = torch.rand(2, 16000, generator=SEEDED) * 2 - 1


@pytest.mark.parametrize(
    ("modality", "batch", "expected"),
    [
        ("image", PIXELS / 255, "floats that CLIP's mean and std have normalised"),
        ("image", PIXELS.float(), "expected uint8 pixels within 0..255"),
        ("image", PIXELS, "images: torch.int64 within"),
        ("video", PIXELS[None] / 255, "give the pixels as uint8"),
        ("points", SPHERE * 100, "cloud 0 is 100 from the origin; expected clouds in the unit"),
        ("points", SPHERE * 1e-3, "is 0.001 from the origin"),
        ("points", SPHERE * float("nan"), "points: expected finite values"),
        ("depth", -torch.ones(1, 1, 32, 32), "expected disparities in pixels"),
        ("depth", (PIXELS / 255, torch.ones(2, 1, 32, 32)), "give the pixels as uint8"),
        ("audio", (NOISE * 32767).to(torch.int16), "divide 16-bit samples by 32768"),
        ("audio", NOISE * 32767, "within -1..1"),
    ],
)
def test_values_of_another_convention_are_refused(
    modality: str, batch: Tensor | tuple[Tensor, ...], expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        check_values(modality, batch)


@pytest.mark.parametrize(
    ("modality", "batch"),
    [
        ("image", PIXELS.to(torch.uint8)),
        ("image", (PIXELS / 255 - 0.45) / 0.27),
        ("points", SPHERE * 1.25 + 0.1),
        ("points", torch.cat([SPHERE, SPHERE.abs()], dim=-1)),
        ("points", (SPHERE * 100, SPHERE)),
        ("depth", torch.zeros(1, 1, 32, 32)),
        ("audio", NOISE),
        ("audio", NOISE[0].view(1, 125, 128) * 30),
    ],
)
def test_what_views_and_tokenizers_give_passes(
    modality: str, batch: Tensor | tuple[Tensor, ...]
) -> None:
    check_values(modality, batch)


def test_encode_checks_and_one_prompt_is_one_row(student: Student) -> None:
    with pytest.raises(UserError, match="expected uint8 pixels"):
        student.encode("image", PIXELS / 255)
    assert torch.equal(student.encode_text("a chair"), student.encode_text(["a chair"]))

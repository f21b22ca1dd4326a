"""Prompt templates and class embeddings, in the official order of normalising and averaging."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.prompts import TEMPLATES, class_embeddings, templates, text_embeddings


def encode(prompts: Sequence[str]) -> Tensor:
    """A fixed feature for every text, of a length that grows with the text."""
    rows = []
    for prompt in prompts:
        generator = torch.Generator().manual_seed(sum(map(ord, prompt)))
        rows.append(torch.randn(8, generator=generator) * len(prompt))
    return torch.stack(rows)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("modelnet40_64", 64),
        ("sound_as_image", 12),
        ("scene", 19),
        ("photo", 5),
        ("sound", 13),
        ("action", 48),
    ],
)
def test_every_template_names_the_class_once(name: str, count: int) -> None:
    assert len(templates(name)) == count
    assert all(template.count("{}") == 1 for template in templates(name))
    assert all(template.format("{chair}").count("{chair}") == 1 for template in templates(name))


def test_official_oddities_are_kept() -> None:
    """ULIP's template without a full stop; ViT-Lens counts the bare sound label three times."""
    assert [t for t in templates("modelnet40_64") if not t.endswith(".")] == [
        "a black and white photo of a {}"
    ]
    assert templates("sound_as_image").count("{}.") == 3


def test_unknown_templates_are_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match=f"'foto': expected one of {', '.join(TEMPLATES)}"):
        templates("foto")


def test_class_embeddings_normalise_average_and_normalise() -> None:
    classes, prompts = ["chair", "table", "grand piano"], templates("photo")
    found = class_embeddings(encode, classes, prompts)
    for row, name in enumerate(classes):
        features = encode([prompt.format(name) for prompt in prompts]).double()
        mean = (features / features.norm(dim=1, keepdim=True)).mean(dim=0)
        assert torch.allclose(found[row].double(), mean / mean.norm(), atol=1e-6)
    assert found.dtype == torch.float32


def test_averaging_first_would_be_another_embedding() -> None:
    found = class_embeddings(encode, ["chair"], templates("photo"))[0]
    mean = encode([prompt.format("chair") for prompt in templates("photo")]).mean(dim=0)
    assert not torch.allclose(found, mean / mean.norm(), atol=1e-3)


def test_captions_are_taken_as_they_are() -> None:
    found = text_embeddings(encode, ("a chair", "two chairs"))
    assert torch.allclose(found.norm(dim=1), torch.ones(2))
    assert torch.allclose(found[1], encode(["two chairs"])[0] / encode(["two chairs"])[0].norm())
    assert len(text_embeddings(encode, ())) == 0

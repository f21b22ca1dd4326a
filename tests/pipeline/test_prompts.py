"""Prompt templates and class embeddings, in the official order of normalising and averaging."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.identity import templates_identity
from pipeline.prompts import TEMPLATES, class_embeddings, templates, text_embeddings
from tests.tiny_world import tiny_params


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


def test_own_templates_are_the_same_from_a_list_or_a_file(tmp_path: Path) -> None:
    own = ("a photo of a {}, a bird.", "a {}.")
    file = tmp_path / "birds.txt"
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(own).encode())
    assert templates(own) == templates(str(file)) == own
    identities = [templates_identity(p, templates(p)) for p in (own, str(file), own[::-1])]
    assert identities[0] == identities[1] != identities[2]


def test_within_dvc_a_file_of_templates_lies_where_dvc_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train")
    for file in (Path("prompts/own.txt"), Path("own.txt")):
        file.parent.mkdir(exist_ok=True)
        file.write_text("a {}.\n")
    assert templates("prompts/own.txt") == ("a {}.",)
    with pytest.raises(UserError, match="own.txt lies outside prompts, .* changed; move it there$"):
        templates("own.txt")


@pytest.mark.parametrize("text", ["a bird", "{} and {}", "{} {0}", "{{}}", ""])
def test_a_template_without_one_place_for_the_name_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.txt").write_text(text)
    with pytest.raises(UserError, match="own.txt: expected"):
        templates(str(tmp_path / "own.txt"))
    with pytest.raises(ValueError, match="prompts: expected one {} for the name"):
        replace(tiny_params(tmp_path).sources["objects"], prompts=(text,))


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

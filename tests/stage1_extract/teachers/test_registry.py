"""Loading teachers by name, and what each offers before it is loaded."""

import pytest

from pipeline.errors import UserError
from stage1_extract.teachers import REGISTRY, cards, load_teacher


def test_every_teacher_offers_a_complete_card():
    offered = cards()
    assert {card.name for card in offered} == set(REGISTRY)
    for card in offered:
        assert card.modality in ("image", "points", "depth", "audio")
        assert all((card.arch, card.weights, card.licence, card.source))
    assert "non-commercial" in next(card.licence for card in offered if card.name == "multimae")


@pytest.mark.parametrize(
    ("name", "arch", "message"),
    [
        ("ulipp", None, "unknown teacher 'ulipp'; did you mean 'ulip'"),
        ("ulip", "ulip2-pointbret", "did you mean 'ulip2-pointbert'"),
        ("ulip", None, "several architectures"),
        ("ulip", "ulip1-pointbert", "needs weights: the path of checkpoint_pointbert.pt"),
        ("recon", None, "recon-zeroshot needs weights"),
        ("multimae", "multimae-b", "needs weights: the path of multimae-b_98"),
        ("multimae", "multimae-l", "did you mean 'multimae-b'"),
        ("clip", None, "needs an arch"),
        ("clip", "ViT-B-16", "needs weights: an open_clip tag"),
    ],
)
def test_what_is_unknown_or_missing_is_one_line(name, arch, message):
    with pytest.raises(UserError, match=message) as caught:
        load_teacher(name, arch=arch)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["recon", "multimae"])
def test_a_truncated_file_is_one_line(tmp_path, name):
    (tmp_path / "w.pth").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(UserError, match="w.pth: expected a complete weights file"):
        load_teacher(name, weights=str(tmp_path / "w.pth"))


@pytest.mark.parametrize("name", ["recon", "multimae"])
def test_an_architectures_file_says_what_it_may_hold(name, tmp_path):
    file = tmp_path / "arch.json"
    file.write_text('{"width": 10, "heads": 3}')
    with pytest.raises(UserError, match="multiple of heads"):
        load_teacher(name, weights="none", arch=str(file))

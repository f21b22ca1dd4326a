"""The documentation's example runs as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from pipeline.errors import UserError
from stage1_extract import teachers

PAGE = Path(__file__).parents[3] / "docs" / "add_a_teacher.md"


@pytest.fixture
def dino(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Follow the page: write its file, add its line; return a weights file."""
    text = PAGE.read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    line = re.search(r'`"(\w+)": "stage1_extract.teachers.(\w+)",`', text)
    (tmp_path / f"{line[2]}.py").write_text(code[1])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(teachers.REGISTRY, line[1], line[2])
    with torch.random.fork_rng(devices=[]):
        model = timm.create_model("vit_small_patch16_224", num_classes=0)
    torch.save(model.state_dict(), tmp_path / "dino.pth")
    return tmp_path / "dino.pth"


def test_the_example_loads_and_encodes(dino):
    teacher = teachers.load_teacher("dino", weights=str(dino))
    view = np.random.default_rng(0).integers(0, 256, (3, 224, 224), dtype=np.uint8)
    assert teacher.encode(teacher.preprocess(view)[None]).shape == (1, teacher.dim)
    assert teacher.provenance["weights"] == "dino.pth"
    assert "dino-s16" in {card.arch for card in teachers.cards()}
    with pytest.raises(UserError, match="needs weights: the path of dino_deitsmall16"):
        teachers.load_teacher("dino")


def test_the_page_stays_short():
    assert len(PAGE.read_text().splitlines()) < 40

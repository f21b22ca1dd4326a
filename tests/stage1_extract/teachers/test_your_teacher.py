"""The documentation's example runs as it stands."""

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
import timm
import torch
import yaml

from pipeline.config import Params
from pipeline.errors import UserError
from stage1_extract import teachers
from stage1_extract.extractor import Extractor
from tests.tiny_world import tiny_params

PAGE = Path(__file__).parents[3] / "docs" / "your_teacher.md"


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


@pytest.mark.parametrize("side", [64, 224])
def test_the_example_loads_and_encodes_views_of_any_size(dino, side: int):
    teacher = teachers.load_teacher("dino", weights=str(dino))
    view = np.random.default_rng(0).integers(0, 256, (3, side, side), dtype=np.uint8)
    assert teacher.encode(teacher.preprocess(view)[None]).shape == (1, teacher.dim)
    assert teacher.provenance["weights"] == "dino.pth"
    assert "dino-s16" in {card.arch for card in teachers.cards()}
    with pytest.raises(UserError, match="needs weights: the path of dino_deitsmall16"):
        teachers.load_teacher("dino")


def params_of_the_page(world: Path, weights: Path) -> Params:
    """The tiny world's, with what the page adds."""
    added = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)[1])
    settings = msgspec.to_builtins(tiny_params(world))
    added["teachers"]["dino"]["weights"] = str(weights)
    for section in ("teachers", "extract", "train"):
        settings[section] |= added[section]
    return msgspec.convert(settings, Params)


def test_the_params_entry_names_an_extraction(dino, prepared_world):
    extraction = Extractor(params_of_the_page(prepared_world, dino)).extraction("dino-renders")
    assert extraction.teacher.name == "dino"


def test_a_view_that_does_not_fit_is_one_line_before_any_tar_is_read(
    dino, prepared_world, monkeypatch
):
    kind = type(teachers.load_teacher("dino", weights=str(dino)))
    monkeypatch.setattr(kind, "preprocess", lambda self, view: torch.from_numpy(view) / 255)
    extractor = Extractor(params_of_the_page(prepared_world, dino))
    why = r"dino: cannot take a view of shape \[3, 32, 32\] \(.*224.*\); resize it in .* now 32, to"
    with pytest.raises(UserError, match=why) as refused:
        extractor.extraction("dino-renders")
    assert "\n" not in str(refused.value)
    monkeypatch.setattr(kind, "preprocess", lambda self, view: torch.zeros(3, 224, 224))
    monkeypatch.setattr(kind, "encode", lambda self, batch: torch.zeros(len(batch), 7))
    with pytest.raises(UserError, match=r"of shape \[7\], expected \[384\], the dim of its card"):
        extractor.extraction("dino-renders")


def test_the_page_stays_short():
    assert len(PAGE.read_text().splitlines()) < 60

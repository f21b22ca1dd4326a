"""The data files of eval/: protocols that agree with the converters, published numbers of them."""

from pathlib import Path

import pytest

from eval.protocol import FOLDER, protocol_of
from eval.published import published_student, published_teacher, rows
from pipeline.config import BenchmarkConfig, load_params
from pipeline.datasets import (
    audiocaps,
    esc50,
    imagenet,
    modelnet40,
    msrvtt,
    nyud,
    scanobjectnn,
    sunrgbd,
    ucf101,
)
from pipeline.errors import UserError
from pipeline.prompts import templates
from stage1_extract.teachers import cards

PAPERS = Path(__file__).parents[2] / "configs" / "unialign.yaml"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
LISTS = {
    "imagenet": imagenet.EXPECTED["val"], "modelnet40": modelnet40.EXPECTED["test"],
    "scanobjectnn": scanobjectnn.SPLITS["test"][1], "sun-d": sunrgbd.EXPECTED["test"],
    "nyu-d": nyud.EXPECTED, "audioset": None, "vggsound": None, "esc50": esc50.SAMPLES,
    "audiocaps": audiocaps.SAMPLES["test-without-vggsound"], "msrvtt": msrvtt.SAMPLES,
    "ucf101": ucf101.SAMPLES["test01"],
}  # fmt: skip


def named(name: str, **more: object) -> BenchmarkConfig:
    return BenchmarkConfig(source="any", teacher="any", protocol=name, **more)


def test_protocols_count_what_the_converters_expect() -> None:
    assert {name: protocol_of(named(name)).samples for name in NAMES} == LISTS
    assert protocol_of(named("nyu-d")).others == len(nyud.OTHERS)


@pytest.mark.parametrize("name", NAMES)
def test_their_templates_are_there(name: str) -> None:
    prompts = protocol_of(named(name)).prompts
    counts = {"imagenet": 80, "modelnet40_64": 64, "scene": 19, "sound_as_image": 12, "action": 48}
    assert prompts is None or len(templates(prompts)) == counts[prompts]


def test_the_papers_recipe_has_every_benchmark_with_its_teacher() -> None:
    benchmarks = load_params(PAPERS).benchmarks
    assert len(benchmarks) == 12
    assert {benchmark.protocol for benchmark in benchmarks.values()} == set(NAMES)


def test_published_numbers_are_of_protocols_and_models_that_there_are() -> None:
    known = {card.arch for card in cards()} | {"student"}
    assert {row.model for row in rows()} <= known
    assert {row.protocol for row in rows()} <= set(NAMES)
    assert all(0.1 < score < 1 for row in rows() for score in row.scores.values())


def test_a_number_is_that_of_the_very_model() -> None:
    ulip = ("ulip1-pointbert", "weights/checkpoint_pointbert.pt")
    assert published_teacher("modelnet40", *ulip) == {"top1": 0.603, "top5": 0.84}
    assert published_teacher("modelnet40", ulip[0], "mine.pt") == {}
    assert published_teacher("sun-d", *ulip) == published_teacher(None, *ulip) == {}
    assert published_student("sun-d", "mlp") == {"top1": 0.458}
    assert published_student("sun-d", "linear") == {"top1": 0.452}


def test_a_protocol_fixes_metric_and_windows() -> None:
    with pytest.raises(ValueError, match="protocol esc50 fixes metric and windows"):
        named("esc50", windows=3)
    with pytest.raises(ValueError, match="windows must be within 1..100"):
        BenchmarkConfig(source="any", teacher="any", windows=0)


def test_a_data_file_that_somebody_broke_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.yaml").write_text("windows: many\n")
    monkeypatch.setattr("eval.protocol.FOLDER", tmp_path)
    with pytest.raises(UserError, match=r"mine.yaml: Expected `int`, got `str` - at `\$.windows`"):
        protocol_of(named("mine"))

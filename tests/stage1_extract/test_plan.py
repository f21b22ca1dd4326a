"""`python -m stage1_extract.plan`: the bytes that will be there, before anything is."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import UserError, exit_on_user_error
from stage1_extract import plan as module
from stage1_extract.estimate import card_of, planned
from stage1_extract.extractor import Extractor
from tests.stage1_extract.conftest import write_params
from tests.tiny_world import make_clip, tiny_params

ROW_ARRAYS = ("features", "digests", "key_hash")


@pytest.mark.parametrize("name", ["fake-objects", "clip-objects", "clip-renders"])
def test_the_planned_bytes_are_those_of_a_written_store(
    cached_world: Path, loaded: list, name: str
) -> None:
    found = planned(tiny_params(cached_world), name, None)
    teacher, _, source = name.partition("-")
    store = cached_world / "cache" / teacher / f"{source}-train.zarr"
    written = [file for array in ROW_ARRAYS for file in (store / array / "c").rglob("*")]
    assert found.bytes == sum(file.stat().st_size for file in written if file.is_file())
    assert found.rows == (16 if source == "objects" else 64)
    assert loaded == []


def test_a_source_that_is_not_prepared_is_planned_by_its_expected_samples(tmp_path: Path) -> None:
    """ImageNet through ViT-B/16: float16 and two 64-bit digests of 8 views, and a key."""
    params = tiny_params(tmp_path)
    renders = replace(params.sources["renders"], samples=1_281_167, samples_per_shard=1000)
    clip = replace(params.teachers["clip"], arch="ViT-B-16", weights="openai")
    params = replace(
        params,
        sources={"renders": renders, "objects": params.sources["objects"]},
        views=replace(params.views, count=8),
        teachers={**params.teachers, "clip": clip},
    )
    found = planned(params, "clip-renders", Extractor(params))
    assert (found.rows, found.views, found.card.dim, found.hours) == (1_281_167, 8, 512, None)
    assert found.bytes == pytest.approx(1_282_000 * (8 * (512 * 2 + 16) + 8), rel=1e-3)
    assert planned(params, "clip-objects", Extractor(params)).bytes is None


def test_a_warm_up_runs_the_teacher_and_tells_the_hours(prepared_world: Path, loaded: list) -> None:
    params = tiny_params(prepared_world)
    found = planned(params, "fake-objects", Extractor(params))
    assert loaded[0].batches >= 3
    assert found.hours == pytest.approx(16 / found.rate / 3600)


def test_the_command_shows_totals_licences_and_what_is_not_prepared(
    tmp_path: Path, loaded: list, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    params = tiny_params(tmp_path)
    objects = replace(params.sources["objects"], samples=1_000_000)
    params = replace(params, sources={**params.sources, "objects": objects})
    file = write_params(params, tmp_path / "params.yaml")
    monkeypatch.setattr("sys.argv", ["plan", "--params", file, "--teacher", "fake"])
    exit_on_user_error(module.main)
    shown = capsys.readouterr().out
    assert shown.count("1,000,000") == shown.count("0.079") == 2  # its line and the totals
    assert "made" in shown
    monkeypatch.setattr("sys.argv", ["plan", "--params", file])
    make_clip(tmp_path / "clip")
    exit_on_user_error(module.main)
    said = capsys.readouterr().out
    assert "renders is not prepared; run: python -m pipeline.prepare --source renders" in said


def test_no_samples_are_no_expectation() -> None:
    with pytest.raises(ValueError, match="samples must be >= 1, found 0"):
        replace(tiny_params(Path()).sources["objects"], samples=0)


@pytest.mark.parametrize(
    ("teacher", "arch", "dim"),
    [
        ("ulip", "ulip2-pointbert", 1280),
        ("vitlens", "vitlens-l-audio", 768),
        ("clip", "clip:ViT-L-14", 768),
        ("ulip", "demo/nano/ulip/arch.json", 128),
        ("clip", "local-dir:demo/nano/clip", 128),
    ],
)
def test_a_card_knows_its_dim_without_the_weights(teacher: str, arch: str, dim: int) -> None:
    assert card_of(teacher, arch).dim == dim


@pytest.mark.parametrize(
    ("teacher", "arch"), [("ulp", "x"), ("ulip", "ulip3"), ("clip", "ViT-X"), ("ulip", "no.json")]
)
def test_what_is_not_there_is_named(teacher: str, arch: str) -> None:
    with pytest.raises(UserError, match=r"unknown|no\.json: no such file"):
        card_of(teacher, arch)

"""`python -m stage1_extract`: wrong names are one line and exit code 1; what is paired is run."""

from pathlib import Path

import pytest

from pipeline.errors import UserError, exit_on_user_error
from stage1_extract import __main__ as module
from stage1_extract.pairs import select_extractions
from stage1_extract.recompute import SPOT_CHECK
from tests.pipeline.made_store import tree
from tests.stage1_extract.conftest import write_params
from tests.tiny_world import tiny_params


@pytest.fixture
def params_file(prepared_world: Path, tmp_path: Path) -> Path:
    params = tiny_params(prepared_world, cache=str(tmp_path / "cache"))
    write_params(params, tmp_path / "params.yaml")
    return tmp_path / "params.yaml"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["stage1_extract", *arguments])
    exit_on_user_error(module.main)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "name a teacher with --teacher, or see them all with --list"),
        (["--teacher", "ulp"], "unknown teacher 'ulp'; did you mean"),
        (["--teacher", "fake", "--source", "renders"], "`extract` pairs fake with objects"),
        (["--teacher", "fake", "--source", "objects", "nothing"], "--source nothing: "),
        (["--teacher", "fake", "--params", "gone.yaml"], "gone.yaml: no such params file"),
        (["--teacher", "fake"], "unknown teacher 'fake'"),
        (["--teacher", "fake", "--scheduler", "nowhere"], "--scheduler nowhere: no dask scheduler"),
    ],
)
def test_wrong_names_are_one_line_and_exit_code_1(
    params_file: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], why: str
) -> None:
    with pytest.raises(SystemExit) as exited:
        run(monkeypatch, "--params", str(params_file), *arguments)
    said = exited.value.code  # the interpreter prints a string on stderr and exits with 1
    assert isinstance(said, str)
    assert said.startswith("error: ")
    assert why in said
    assert "\n" not in said
    assert not (params_file.parent / "cache").exists()


def test_an_unprepared_dataset_names_the_command(
    params_file: Path, loaded: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = params_file.read_text()
    shards = next(line for line in text.splitlines() if line.startswith("shards:"))
    params_file.write_text(text.replace(shards, "shards: nowhere"))
    with pytest.raises(SystemExit, match="not prepared; run: python -m pipeline.prepare --source"):
        run(monkeypatch, "--params", str(params_file), "--teacher", "fake")


def test_a_run_says_what_it_did_and_a_second_one_that_nothing_was_left(
    params_file: Path, loaded: list, monkeypatch, capsys: pytest.CaptureFixture
) -> None:
    run(monkeypatch, "--params", str(params_file), "--teacher", "fake")
    assert "fake-objects: 16 samples in 3/3 shards" in capsys.readouterr().out
    before = tree(params_file.parent / "cache")
    run(monkeypatch, "--params", str(params_file), "--teacher", "fake", "--source", "objects")
    assert "fake-objects: 0 samples in 0/0 shards" in capsys.readouterr().out
    assert tree(params_file.parent / "cache") == before
    assert [teacher.batches for teacher in loaded] == [5 + SPOT_CHECK, SPOT_CHECK]


def test_a_store_that_was_set_aside_is_named(
    params_file: Path, loaded: list, monkeypatch, capsys: pytest.CaptureFixture
) -> None:
    run(monkeypatch, "--params", str(params_file), "--teacher", "fake")
    params_file.write_text(params_file.read_text().replace("\nseed: 5", "\nseed: 6"))
    run(monkeypatch, "--params", str(params_file), "--teacher", "fake")
    assert "another recipe's store was kept as " in capsys.readouterr().out


def test_a_teacher_runs_over_every_source_it_is_paired_with(prepared_world: Path) -> None:
    params = tiny_params(prepared_world)
    assert select_extractions(params, ["clip"], None) == ["clip-objects", "clip-renders"]
    assert select_extractions(params, ["clip"], ["renders"]) == ["clip-renders"]
    both = ["fake-objects", "clip-objects", "clip-renders"]
    assert select_extractions(params, ["fake", "clip"], None) == both
    assert select_extractions(params, ["fake", "clip"], ["objects"]) == both[:2]
    assert select_extractions(params, ["fake", "clip"], ["renders"]) == both[2:]
    with pytest.raises(UserError, match="pairs clip with objects, renders"):
        select_extractions(params, ["clip"], ["pictures"])


def test_the_list_shows_every_teacher_with_its_licence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    run(monkeypatch, "--list")
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("clip", "ulip", "vitlens", "multimae", "recon"))
    assert "non-commercial" in shown
    assert max(map(len, shown.splitlines())) <= 80

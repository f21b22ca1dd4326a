"""`python -m pipeline.prepare`: every split, or one line and exit code 1."""

from pathlib import Path

import msgspec
import pytest
from ruamel.yaml import YAML

from pipeline import prepare as module
from pipeline.errors import exit_on_user_error
from pipeline.preparation import prepare, shard_task
from pipeline.shards import read_index
from tests.pipeline.made_store import tree
from tests.tiny_world import make_pack, tiny_params


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_pack(tmp_path / "pack")
    return tmp_path


def command(monkeypatch, capsys, *arguments: str) -> tuple[object, str]:
    """Exit code and stderr of `python -m pipeline.prepare` run in this process."""
    monkeypatch.setattr("sys.argv", ["prepare", *arguments])
    with pytest.raises(SystemExit) as exited:
        exit_on_user_error(module.main)
    code, said = exited.value.code, capsys.readouterr().err
    return (1, said + code) if isinstance(code, str) else (code, said)


def params_file(root: Path) -> str:
    path = root / "params.yaml"
    YAML(typ="safe", pure=True).dump(msgspec.to_builtins(tiny_params(root)), path)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--source", "objcts"], "unknown source 'objcts'; did you mean 'objects'"),
        (["--source", "objects", "--raw", "nowhere"], "nowhere: raw data not found"),
        (["--source", "objects", "--params", "nowhere.yaml"], "no such params file"),
    ],
)
def test_wrong_names_are_one_line_and_exit_code_1(
    root: Path, monkeypatch, capsys, arguments: list[str], why: str
) -> None:
    code, said = command(monkeypatch, capsys, "--params", params_file(root), *arguments)
    assert code == 1
    assert why in said
    assert said.count("\n") == 0


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_one_that_is_cut_short_leaves_what_was_there_and_no_half(
    root: Path, monkeypatch, capsys, error: BaseException
) -> None:
    def cut_short(*_: object) -> None:
        raise error

    prepare(tiny_params(root), "objects", "train", root / "pack")
    before = tree(root)
    monkeypatch.setattr(shard_task, "write_shard", cut_short)
    arguments = ["--source", "objects", "--raw", str(root / "pack")]
    code, said = command(monkeypatch, capsys, "--params", params_file(root), *arguments)
    assert code == (1 if isinstance(error, OSError) else 130)
    expected = "train.partial: No space left" if isinstance(error, OSError) else "tars are kept"
    assert expected in said
    assert tree(root) == before | {"params.yaml": (root / "params.yaml").read_bytes()}


def test_the_command_prepares_every_split(root: Path, monkeypatch, capsys) -> None:
    arguments = ["--params", params_file(root), "--source", "objects", "--raw", str(root / "pack")]
    monkeypatch.setattr("sys.argv", ["prepare", *arguments])
    module.main()
    assert "train: 16 samples in 3 shards, 0 rejected" in capsys.readouterr().out
    assert read_index(root / "shards" / "objects" / "test").samples == 8

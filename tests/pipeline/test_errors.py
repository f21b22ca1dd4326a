"""What ends a command: one line for what its user can mend, a traceback for the program's own."""

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError
from fsspec.exceptions import FSTimeoutError

from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import deaf_children, keeping


@pytest.fixture(autouse=True)
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that messages repeat."""
    monkeypatch.setattr(sys, "argv", ["command", "--params", "a b.yaml"])
    monkeypatch.delenv("DVC_STAGE", raising=False)


def ended(main: Callable[[], None]) -> object:
    with pytest.raises(SystemExit) as exited:
        exit_on_user_error(main)
    return exited.value.code


def interrupted() -> None:
    with keeping("finished tars are kept"):
        signal.raise_signal(signal.SIGINT)


def test_a_user_error_is_one_line() -> None:
    def main() -> None:
        raise UserError("file: expected this\nfound that")

    assert ended(main) == "error: file: expected this found that"


@pytest.mark.parametrize("before", [signal.default_int_handler, signal.SIG_IGN])
def test_ctrl_c_says_what_is_kept_and_how_to_go_on(
    capsys: pytest.CaptureFixture[str], before: object
) -> None:
    signal.signal(signal.SIGINT, before)  # a shell lets what runs in the background ignore it
    assert ended(interrupted) == 130
    said = capsys.readouterr().err
    assert said.startswith("stopped by Ctrl-C; finished tars are kept; to go on, run: python ")
    assert said.endswith(" --params 'a b.yaml'\n")


def test_in_a_stage_of_dvc_it_is_dvc_that_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_STAGE", "train")
    assert ended(interrupted) == 130
    assert capsys.readouterr().err.endswith("to go on, run: dvc repro\n")


def test_on_several_machines_torchrun_goes_on_with_all_of_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("GROUP_WORLD_SIZE", "2")
    assert ended(interrupted) == 130
    start = "torchrun --nnodes 2 --rdzv-backend c10d --rdzv-endpoint FIRST:29400 --nproc-per-node 4"
    assert f"to go on, run: {start} " in capsys.readouterr().err


@pytest.mark.parametrize("use", [Path.read_text, Path.mkdir])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, use: Callable) -> None:
    (tmp_path / "file").touch()
    said = ended(lambda: use(tmp_path / "file" / "below"))
    assert isinstance(said, str)
    assert said.startswith(f"error: {tmp_path}/file/below: Not a directory; mend that, and run: ")


@pytest.mark.parametrize(
    "error",
    [EndpointConnectionError(endpoint_url="http://here/made/a.tar"), FSTimeoutError("http://here")],
)
def test_a_server_that_is_gone_is_one_line(error: Exception) -> None:
    def main() -> None:
        raise error

    said = ended(main)
    assert isinstance(said, str)
    assert re.match("error: .*Error: .*http://here.*; check the network .*, and run: python ", said)


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError("a library's"), BrokenPipeError()])
def test_the_programs_own_mistakes_keep_their_traceback(error: Exception) -> None:
    def main() -> None:
        raise error

    with pytest.raises(type(error)):
        exit_on_user_error(main)


def test_a_reader_that_goes_away_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        assert ended(lambda: print("hello")) == 141


@pytest.mark.parametrize("last", [lambda: None, sys.exit])
def test_output_that_cannot_be_written_is_one_line(
    monkeypatch: pytest.MonkeyPatch, last: Callable
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        said = ended(lambda: (print("hello"), last()))
    assert str(said).startswith("error: standard output: No space left on device; ")


def test_children_do_not_hear_ctrl_c_and_here_it_waits() -> None:
    told = []
    with pytest.raises(KeyboardInterrupt):
        beside_a_deaf_child(told)
    assert told == [7, "waited"]


def beside_a_deaf_child(told: list) -> None:
    with deaf_children():
        child = os.fork()
        if child == 0:
            signal.raise_signal(signal.SIGINT)
            os._exit(7)
        told.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        signal.raise_signal(signal.SIGINT)
        told.append("waited")

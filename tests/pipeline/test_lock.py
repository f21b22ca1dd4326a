"""One run at a time on a store: the second is told who holds it, a dead one holds nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.lock import exclusive

HOLDER = """
import sys
from pathlib import Path
from pipeline.lock import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "made" / "objects-train.zarr"


def test_a_second_run_is_told_who_holds_the_store_until_that_is_killed(store: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    who = rf"{store}: another run is writing it \(process {holder.pid} on \S+\)"
    with pytest.raises(UserError, match=who), exclusive(store):
        pytest.fail("held twice")
    holder.kill()
    holder.wait()
    with exclusive(store):
        pass


def test_a_store_is_free_again_after_an_error_and_nothing_is_left(store: Path) -> None:
    with pytest.raises(KeyError), exclusive(store):
        raise KeyError
    with exclusive(store), pytest.raises(UserError, match=f"process {os.getpid()} on "):
        exclusive(store).__enter__()
    assert list(store.parent.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "made").write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"\.objects-train\.lock: cannot be locked \(.*\)$"):
        exclusive(tmp_path / "made" / "objects-train.zarr").__enter__()

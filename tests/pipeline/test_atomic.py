"""Files that are replaced whole: not through hard links, and not at all where a write fails."""

import errno
import os
from pathlib import Path

import pytest

from pipeline.atomic import naming, replacing, write_atomically


def test_a_hard_link_to_the_former_file_keeps_its_content(tmp_path: Path) -> None:
    (tmp_path / "cached").write_text("old")
    os.link(tmp_path / "cached", tmp_path / "output")
    write_atomically(tmp_path / "output", b"new")
    assert (tmp_path / "cached").read_text() == "old"
    assert (tmp_path / "output").read_text() == "new"


def write_half(path: Path, error: BaseException) -> None:
    with replacing(path) as file:
        file.write(b"half")
        raise error


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_write_that_is_cut_short_leaves_the_former_file_alone(
    tmp_path: Path, error: BaseException
) -> None:
    (tmp_path / "output").write_text("old")
    with pytest.raises(type(error)) as caught:
        write_half(tmp_path / "output", error)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"output": "old"}
    if isinstance(error, OSError):
        assert caught.value.filename == str(tmp_path / "output")


def test_a_folder_in_the_files_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_atomically(tmp_path / "output", b"new")
    assert caught.value.filename == str(tmp_path / "output")
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


def test_an_error_without_a_name_gets_one_and_another_keeps_its_own(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught, naming(tmp_path):
        raise OSError(errno.ENOSPC, "full")
    assert caught.value.filename == str(tmp_path)
    with pytest.raises(OSError) as caught, naming(tmp_path):
        raise OSError(errno.ENOENT, "gone", "other")
    assert caught.value.filename == "other"

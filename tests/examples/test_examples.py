"""The example scripts, as a newcomer runs them: own files in, lines of similarities out."""

import runpy
import sys
from pathlib import Path

import pytest

from pipeline.openclip import load_openclip
from stage2_train.student import Student
from tests.made_members import every_member
from tests.stage2_train.student.conftest import EVERY_MODALITY, VIEWS
from tests.tiny_world import make_clip

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = {"a.jpg": "image.jpg", "b.wav": "audio.flac", "c.npy": "points.npy", "d.mp4": "video.mp4"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A student and four files; the present folder."""
    openclip = load_openclip(f"local-dir:{make_clip(tmp_path / 'clip')}")
    Student(openclip, EVERY_MODALITY, views=VIEWS).save(tmp_path / "student")
    for name, member in FILES.items():
        (tmp_path / name).write_bytes(every_member()[member])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *typed: str
) -> tuple[list[str], str]:
    """What a script prints, and what it says on stderr."""
    monkeypatch.setattr(sys, "argv", [name, "student", *typed])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    told = capsys.readouterr()
    return told.out.splitlines(), told.err


def test_encode_compares_files_of_any_modality(folder, monkeypatch, capsys) -> None:
    out, err = lines("encode", monkeypatch, capsys, *FILES, "none.jpg")
    assert [float(line.split()[place]) for place, line in enumerate(out[:4])] == [1.0] * 4
    assert [line.split()[-2] for line in out] == ["image", "audio", "points", "video", "failed"]
    assert err == "none.jpg: No such file or directory\n"


def test_zero_shot_names_a_class_for_each_file(folder, monkeypatch, capsys) -> None:
    typed = ["--classes", "ball", "stick", "--files", *FILES, "none.jpg"]
    out, err = lines("zero_shot", monkeypatch, capsys, *typed)
    assert [line.split()[2] for line in out] == list(FILES)
    assert {line.split()[1] for line in out} <= {"ball", "stick"}
    assert err.startswith("none.jpg: ")


@pytest.mark.parametrize("query", ["a red chair", "a.jpg"])
def test_retrieval_puts_the_nearest_first(folder, monkeypatch, capsys, query: str) -> None:
    out, _ = lines("retrieval", monkeypatch, capsys, query, "--among", "none", *FILES)
    cosines = [float(line.split()[0]) for line in out]
    assert cosines == sorted(cosines, reverse=True)
    assert len(out) == 4
    if query == "a.jpg":
        assert out[0].split() == ["1.000", "a.jpg"]

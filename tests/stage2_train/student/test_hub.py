"""A student by its address on a hub: only what it consists of is downloaded."""

from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from stage2_train.student import Student
from tests.stage2_train.student.made_batches import images
from tests.stage2_train.student.made_hub import hub
from tests.stage2_train.student.test_student import edit_json


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_student_is_loaded_from_a_hub_and_nothing_else_with_it(
    student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    student.save(tmp_path / "student")
    there = files_of(tmp_path / "student") | {"evil.py": b"", "clip/model.pt": b"pickle"}
    with hub({"org/name": there}, tmp_path / "cache", monkeypatch):
        loaded = Student.load("hf://org/name")
        assert torch.equal(loaded.encode("image", images()), student.encode("image", images()))
    [snapshot] = (tmp_path / "cache").glob("*/snapshots/*")
    assert set(files_of(snapshot)) == set(files_of(tmp_path / "student"))


def test_a_name_that_no_hub_has_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "hf://org/none@v1: could not be downloaded"
    with hub({}, tmp_path / "cache", monkeypatch), pytest.raises(UserError, match=told) as refused:
        Student.load("hf://org/none@v1")
    assert "\n" not in str(refused.value)
    for address in ("hf://name", "hf://org/name/more", "hf://org/../x"):
        with pytest.raises(UserError, match=r"expected hf://ORG/NAME"):
            Student.load(address)


def test_paths_of_another_machine_are_refused(
    student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    student.save(tmp_path / "student")
    edit_json(tmp_path / "student", lambda card: card.update(format=2))
    there = {"org/old": files_of(tmp_path / "student")}
    told = "layout version 2 names files of the machine"
    with hub(there, tmp_path / "cache", monkeypatch), pytest.raises(UserError, match=told):
        Student.load("hf://org/old")


def test_a_repository_without_a_student_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, told = {"org/other": {"config.json": b"{}"}}, r"student\.json: no such file"
    with hub(there, tmp_path / "cache", monkeypatch), pytest.raises(UserError, match=told):
        Student.load("hf://org/other")

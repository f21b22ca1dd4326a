"""A student's folder: copied anywhere it gives the same bits, and it never leads out of itself."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.pretrained import _PRETRAINED

from pipeline.errors import UserError
from pipeline.openclip import DIR_CONFIG, DIR_WEIGHTS, load_openclip
from stage2_train.student import Student
from stage2_train.student.portable import read_card
from tests.pipeline.made_store import tree
from tests.stage2_train.student.conftest import CONFIG, VIEWS
from tests.stage2_train.student.made_batches import images
from tests.stage2_train.student.test_student import edit_json, train_a_little
from tests.tiny_world import CLIP_CONFIG, make_clip


def test_a_copied_folder_gives_the_same_bits_without_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made").mkdir()
    monkeypatch.chdir(tmp_path / "made")
    make_clip(Path("clip"))
    student = train_a_little(Student(load_openclip("local-dir:clip"), CONFIG, views=VIEWS))
    student.save("student")
    shutil.copytree("student", tmp_path / "elsewhere" / "copy")
    monkeypatch.chdir(tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "made")
    loaded = Student.load("copy")
    assert torch.equal(loaded.encode("image", images()), student.encode("image", images()))
    assert loaded.encode_text("a chair").shape == (1, 16)
    assert loaded.views == VIEWS
    assert str(tmp_path) not in Path("copy/student.json").read_text()


def test_a_loaded_student_is_saved_again_over_itself(student: Student, tmp_path: Path) -> None:
    student.save(tmp_path / "one")
    Student.load(tmp_path / "one").save(tmp_path / "one")
    Student.load(tmp_path / "one").save(tmp_path / "two")
    shutil.rmtree(tmp_path / "one")
    assert torch.equal(
        Student.load(tmp_path / "two").encode("image", images()), student.encode("image", images())
    )


def test_the_merges_of_a_clip_go_along(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip")
    config = json.loads((clip / DIR_CONFIG).read_text())
    config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"bpe_path": "bpe.txt.gz"}
    (clip / DIR_CONFIG).write_text(json.dumps(config))
    shutil.copy(open_clip.tokenizer.default_bpe(), clip / "bpe.txt.gz")
    Student(load_openclip(f"local-dir:{clip}"), CONFIG).save(tmp_path / "student")
    shutil.rmtree(clip)
    assert Student.load(tmp_path / "student").encode_text("a ball").isfinite().all()


@pytest.mark.parametrize("tag", ["", "openai="])
def test_a_weights_file_of_a_built_in_arch_goes_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: str
) -> None:
    (tmp_path / "tiny-arch.json").write_text(json.dumps(CLIP_CONFIG))
    open_clip.add_model_config(tmp_path / "tiny-arch.json")
    monkeypatch.setitem(_PRETRAINED, "tiny-arch", {"openai": _PRETRAINED["ViT-B-32"]["openai"]})
    weights = f"{tag}{make_clip(tmp_path / 'clip') / DIR_WEIGHTS}"
    config = replace(CONFIG, arch="tiny-arch", weights=weights)
    Student(load_openclip("tiny-arch", weights), config).save(tmp_path / "student")
    shutil.rmtree(tmp_path / "clip")
    stored = json.loads((tmp_path / "student/student.json").read_text())["config"]["weights"]
    assert stored == f"{tag}clip/{DIR_WEIGHTS}"
    assert Student.load(tmp_path / "student").encode("image", images()).isfinite().all()


@pytest.mark.parametrize(
    "changed",
    [
        {"arch": "local-dir:/etc"},
        {"arch": "local-dir:../clip"},
        {"arch": "local-dir:clip/.."},
        {"arch": "ViT-B-32", "weights": "/etc/passwd"},
        {"arch": "ViT-B-32", "weights": "clip/../../secret.pt"},
        {"arch": "ViT-B-32", "weights": "openai=clip/.."},
    ],
)
def test_no_path_leads_out_of_the_folder(student: Student, tmp_path: Path, changed: dict) -> None:
    student.save(tmp_path)
    edit_json(tmp_path, lambda card: card["config"].update(changed))
    with pytest.raises(UserError, match=r"student.json: config\.\w+ is .*expected .*again"):
        read_card(tmp_path)


def test_an_older_folder_still_loads_where_it_was_written(
    student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_clip(tmp_path / "mine")
    student.save(tmp_path / "student")
    shutil.rmtree(tmp_path / "student" / "clip")

    def older(card: dict) -> None:
        card["format"] = 2
        card["config"]["arch"] = f"local-dir:{os.path.relpath(tmp_path / 'mine')}"
        del card["views"]

    edit_json(tmp_path / "student", older)
    loaded = Student.load(tmp_path / "student")
    assert torch.equal(loaded.encode("image", images()), student.encode("image", images()))
    with pytest.raises(UserError, match="layout version 2 names files of the machine"):
        read_card(tmp_path / "student", own=False)


def test_a_clip_that_cannot_be_copied_leaves_the_former_student_whole(
    student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    student.save(tmp_path / "student")
    before = tree(tmp_path / "student")
    gone = make_clip(tmp_path / "gone")
    other = Student(load_openclip(f"local-dir:{gone}"), CONFIG, seed=5)
    assert other.openclip.identity
    (gone / DIR_CONFIG).unlink()
    with pytest.raises(FileNotFoundError):
        other.save(tmp_path / "student")
    assert tree(tmp_path / "student") == before

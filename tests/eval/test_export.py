"""Embeddings to a file, from media files or a prepared source, and a search among them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from msgspec import to_builtins

from eval import embeddings, export, search
from eval.embeddings import Embeddings, read
from pipeline.errors import UserError
from pipeline.openclip import load_openclip
from stage2_train.student import Student
from tests.made_members import SENSOR, depth_png, every_member, waves
from tests.tiny_world import tiny_params


@pytest.fixture
def folder(cached_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A student, its params, a picture, a cloud and a text file; the present folder."""
    params = tiny_params(cached_world)
    openclip = load_openclip(params.student.arch)
    Student(openclip, params.student, views=params.views).save(tmp_path / "student")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(to_builtins(params)))
    (tmp_path / "media").mkdir()
    (tmp_path / "media/picture.x").write_bytes(every_member()["image.jpg"])
    (tmp_path / "media/cloud.x").write_bytes(every_member()["points.npy"])
    (tmp_path / "media/words.x").write_text("a ball")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, module: object, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    module.main()


def exported(monkeypatch: pytest.MonkeyPatch, *arguments: str, out: str = "a.npz") -> Embeddings:
    run(monkeypatch, export, "--ckpt", "student", "--out", out, *arguments)
    return embeddings.read(Path(out))


@pytest.mark.parametrize("out", ["a.npz", "new/a.parquet"])
def test_files_are_written_with_what_they_are(folder, monkeypatch, capsys, out: str) -> None:
    if out.endswith("parquet"):
        pytest.importorskip("pyarrow")
    found = exported(monkeypatch, "--files", "media/*.x", "none.x", out=out)
    assert found.key == ["media/cloud.x", "media/picture.x"]
    assert found.modality == ["points", "image"]
    assert set(found.failed) == {"media/words.x", "none.x"}
    told = capsys.readouterr()
    assert "media/words.x: expected an image" in told.err
    assert told.out == f"{out}: 2 embeddings, 2 failed\n"
    expected = Student.load("student").encode_files(found.key).embeddings
    assert np.array_equal(found.vectors, expected.numpy())
    assert found.student == str(folder / "student")


def test_a_npz_is_plain_numpy(folder, monkeypatch) -> None:
    exported(monkeypatch, "--files", "media/cloud.x")
    with np.load("a.npz", allow_pickle=False) as plain:
        assert plain["vectors"].shape == (1, 16)
        assert plain["key"].tolist() == ["media/cloud.x"]
        assert json.loads(str(plain["notes"]))["failed"] == {}


def test_nothing_encoded_is_an_error_and_writes_nothing(folder, monkeypatch) -> None:
    with pytest.raises(UserError, match=r"a\.npz: not written, none of 1 could be encoded"):
        exported(monkeypatch, "--files", "media/words.x")
    assert not Path("a.npz").exists()


def test_a_source_is_exported_with_its_labels(folder, cached_world, monkeypatch) -> None:
    found = exported(monkeypatch, "--source", "objects", "--split", "test")
    assert len(found.key) == 8
    assert {"ball", "stick"} >= set(found.label) - {""}
    from eval.encode import encode_split, evaluation_views
    from eval.models import student_model

    params = tiny_params(cached_world)
    model = student_model(Student.load("student"), evaluation_views(params, "objects"))
    (scored,) = encode_split(params, "objects", "test", [model]).features
    labelled = [row for row, label in enumerate(found.label) if label]
    np.testing.assert_allclose(found.vectors[labelled], scored.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--source", "object"), "unknown source 'object'; did you mean 'objects'"),
        (("--source", "objects", "--split", "tset"), "unknown split of objects 'tset'; did you"),
        (("--files", "x", "--modality", "sound"), "unknown modality 'sound'"),
        (("--files", "x", "--fx", "520"), "--baseline is None, expected a number > 0; give"),
        (("--files", "x", "--out", "a.csv"), "a.csv: expected a file that ends in .npz or"),
        (("--files", "x", "--out", "media.npz"), "media.npz: expected a file to write, found a"),
    ],
)
def test_wrong_requests_are_one_line(folder, monkeypatch, arguments, expected: str) -> None:
    Path("media.npz").mkdir()
    with pytest.raises(UserError, match=expected):
        exported(monkeypatch, *arguments)


def test_depth_maps_take_their_sensor_from_the_command_line(folder, monkeypatch) -> None:
    Path("deep.png").write_bytes(depth_png(waves()))
    sensor = ("--baseline", str(SENSOR["baseline"]), "--fx", str(SENSOR["fx"]))
    with pytest.raises(UserError, match="none of 1"):
        exported(monkeypatch, "--files", "deep.png", *sensor)  # a student without depth
    assert exported(monkeypatch, "--files", "deep.png", "--modality", "image").modality == ["image"]


def test_a_search_finds_the_file_itself_first(folder, monkeypatch, capsys) -> None:
    exported(monkeypatch, "--files", "media/*.x")
    capsys.readouterr()
    run(monkeypatch, search, "--index", "a.npz", "--file", "media/cloud.x", "--top", "1")
    assert capsys.readouterr().out.split() == ["1.000", "points", "media/cloud.x"]
    run(monkeypatch, search, "--index", "a.npz", "--text", "a red chair")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert [float(line.split()[0]) for line in lines] == sorted(
        (float(line.split()[0]) for line in lines), reverse=True
    )


def test_another_student_than_the_index_s_is_refused(folder, monkeypatch) -> None:
    exported(monkeypatch, "--files", "media/cloud.x")
    params = tiny_params(folder)
    other = load_openclip(Student.load("student").config.arch)
    Student(other, params.student, seed=9, views=params.views).save("other")
    with pytest.raises(UserError, match=r"other: expected the student of the index.*--ckpt"):
        run(monkeypatch, search, "--index", "a.npz", "--text", "x", "--ckpt", "other")
    with pytest.raises(UserError, match="--top 0: expected a number >= 1"):
        run(monkeypatch, search, "--index", "a.npz", "--text", "x", "--top", "0")
    with pytest.raises(UserError, match=r"media/words.x: expected an image"):
        run(monkeypatch, search, "--index", "a.npz", "--file", "media/words.x")


@pytest.mark.parametrize("name", ["none.npz", "words.npz", "words.parquet", "other.npz", "."])
def test_what_is_no_index_is_refused(tmp_path, monkeypatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for words in ("words.npz", "words.parquet"):
        Path(words).write_text("a ball")
    np.savez("other.npz", vectors=np.array([{}], dtype=object), key=np.zeros(3))
    with pytest.raises(UserError, match="expected what eval.export writes") as refused:
        embeddings.read(Path(name))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("by", ["numpy", "faiss"])
def test_the_nearest_over_several_blocks_are_exact(by: str, monkeypatch) -> None:
    if by == "faiss":
        pytest.importorskip("faiss", reason='no faiss: pip install -e ".[faiss]"')
        monkeypatch.setattr(embeddings, "LARGE", 10)
    monkeypatch.setattr(embeddings, "_BLOCK", 3)
    vectors = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    names = [str(row) for row in range(10)]
    index = Embeddings(vectors, names, names, names, "", "")
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = index.nearest(vectors[7] * 3, 4)
    assert [row for row, _ in found] == np.argsort(-(unit @ unit[7]))[:4].tolist()
    assert found[0] == (7, pytest.approx(1))


def test_what_is_no_index_is_one_line_that_recommends_no_pickle(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_text("hello")
    with pytest.raises(UserError, match=r"a\.npz: expected what eval\.export writes \(no NPZ\)"):
        read(tmp_path / "a.npz")

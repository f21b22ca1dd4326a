"""A student on a hub: what is written, what is uploaded, and that it loads from there."""

import base64
import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
import yaml
from msgspec import to_builtins

from pipeline.errors import UserError
from pipeline.openclip import load_openclip
from pipeline.weights import file_sha256
from stage2_train import publish
from stage2_train.student import Student
from stage2_train.student.projectors import FeatureProjectors
from tests.stage2_train.student.made_hub import hub
from tests.tiny_world import tiny_params


class _Uploads(BaseHTTPRequestHandler):
    """What a hub answers to an upload; keeps the files of the commit."""

    def __init__(self, files: dict[str, bytes], *args: object) -> None:
        self.files = files
        super().__init__(*args)

    def do_POST(self) -> None:
        body = self._body()
        answer: dict = {"url": f"{os.environ['HF_ENDPOINT']}/org/name"}
        if "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            answer = {
                "files": [
                    {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for file in asked
                ]
            }
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    value = line["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
            answer = {
                "commitUrl": f"{os.environ['HF_ENDPOINT']}/org/name/commit/{'0' * 40}",
                "commitOid": "0" * 40,
            }
        self._answer(answer)

    def do_GET(self) -> None:
        self._answer({"id": "org/name", "sha": "0" * 40, "siblings": []})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        return b"".join(parts)

    def _answer(self, content: dict) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def uploaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    files: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Uploads, files))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_TOKEN", "hf_made")
    yield files
    server.shutdown()


@pytest.fixture
def folder(cached_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A student with projectors, its params and a score of its own and of another."""
    params = tiny_params(cached_world)
    student = Student(load_openclip(params.student.arch), params.student, views=params.views)
    student.save(tmp_path / "student", FeatureProjectors(student.width, {"fake": 6}, "mlp"))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(to_builtins(params)))
    (tmp_path / "zeroshot").mkdir()
    score = {"samples": 8, "classes": 2, "chance": 0.5, "student_top1": 0.625}
    scores = {"points": score, "other": {**score, "student_top1": 0.99}}
    (tmp_path / "zeroshot/metrics.json").write_text(json.dumps(scores))
    own = {"points": file_sha256(tmp_path / "student/student.safetensors"), "other": "0"}
    (tmp_path / "zeroshot/students.json").write_text(json.dumps(own))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["publish", "--ckpt", "student", *arguments])
    publish.main()


def test_a_dry_run_writes_what_would_be_uploaded(folder, monkeypatch, capsys) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    run(monkeypatch, "--to", "org/name", "--dry-run")
    assert "published/org/name: what would be uploaded" in capsys.readouterr().out
    published = Path("published/org/name")
    card = (published / "README.md").read_text()
    assert "| points | 8 | 2 | 50.0 | 62.5 | - |" in card
    assert "99.0" not in card
    assert 'Student.load("hf://org/name")' in card
    assert str(folder) not in card + (published / "student.json").read_text()
    for table in ("| objects | points | 1 | ", "| fake | objects | none | 0000", "| clip | rend"):
        assert table in card
    assert file_sha256(published / "student.safetensors") == file_sha256(
        Path("student/student.safetensors")
    )


def test_what_was_uploaded_loads_from_the_hub(folder, uploaded, monkeypatch, capsys) -> None:
    run(monkeypatch, "--to", "org/name")
    assert capsys.readouterr().out.endswith("hf://org/name\n")
    assert set(uploaded) == {
        "README.md", "student.json", "student.safetensors", "clip/open_clip_config.json",
        "clip/open_clip_model.safetensors",
    }  # fmt: skip
    with hub({"org/name": dict(uploaded)}, folder / "cache", monkeypatch):
        loaded = Student.load("hf://org/name")
    pixels = torch.arange(3 * 32 * 32).view(1, 3, 32, 32).to(torch.uint8)
    own = Student.load("student").encode("image", pixels)
    assert torch.equal(loaded.encode("image", pixels), own)


def test_a_hub_that_cannot_be_reached_is_one_line(folder, monkeypatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "hf_made")
    with pytest.raises(UserError, match="org/name: could not be uploaded .* is ready") as refused:
        run(monkeypatch, "--to", "org/name")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("to", ["name", "org/na me", "../name", "org/name/more"])
def test_a_wrong_address_is_refused_before_any_work(folder, monkeypatch, to: str) -> None:
    with pytest.raises(UserError, match="expected ORG/NAME"):
        run(monkeypatch, "--to", to)
    assert not Path("published").exists()


def test_other_params_than_its_own_are_refused(folder, monkeypatch) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["student"]["rank"] = 2
    Path("params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(UserError, match=r"student: its config is not the `student` of params.yaml"):
        run(monkeypatch, "--to", "org/name", "--dry-run")


def test_a_file_that_could_hold_code_is_not_published(
    folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stage2_train.publication.PUBLISHED", ("student.*", "clip/*.json"))
    with pytest.raises(UserError, match=r"model.safetensors: expected tensors as .safetensors"):
        run(monkeypatch, "--to", "org/name", "--dry-run")


def test_an_older_folder_is_published_with_the_views_of_its_params(folder, monkeypatch) -> None:
    card = json.loads(Path("student/student.json").read_text())
    del card["views"]
    Path("student/student.json").write_text(json.dumps(card))
    run(monkeypatch, "--to", "org/name", "--dry-run")
    published = Student.load("published/org/name")
    assert published.views is not None
    assert published.views.points == 64

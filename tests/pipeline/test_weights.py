"""Weights files: resolving, safe reading, conversion and strict loading."""

import argparse
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from torch import nn

from pipeline.checkpoint import load_checkpoint, load_state, nested, unwrapped
from pipeline.errors import UserError
from pipeline.unpickling import convert
from pipeline.weights import file_sha256, resolve_weights


class _Hub(BaseHTTPRequestHandler):
    """The two requests a hub answers when a file is downloaded: HEAD and GET of resolve/."""

    def __init__(self, files: dict[str, bytes], *args: object) -> None:
        self.files = files
        super().__init__(*args)

    def do_HEAD(self) -> None:
        body = self.files.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.send_header("ETag", '"0123456789abcdef"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.files.get(self.path, b""))

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    files: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Hub, files))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield files
    server.shutdown()


def test_a_hub_spec_is_downloaded_from_the_configured_endpoint(hub_files):
    hub_files["/org/repo/resolve/main/sub/w.pt"] = b"weights"
    assert resolve_weights("hf://org/repo/sub/w.pt").read_bytes() == b"weights"


def test_a_hub_spec_takes_dataset_repositories_and_revisions(hub_files):
    hub_files["/datasets/org/repo/resolve/v2/w.pt"] = b"of a dataset"
    assert resolve_weights("hf://datasets/org/repo@v2/w.pt").read_bytes() == b"of a dataset"


def test_a_file_that_the_hub_lacks_is_one_line(hub_files):
    with pytest.raises(UserError, match="hf://org/repo/none.pt: could not be downloaded") as caught:
        resolve_weights("hf://org/repo/none.pt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", ["no/such/file.pt", "hf://org/repo", "."])
def test_what_names_no_file_is_refused(spec):
    with pytest.raises(UserError, match="expected"):
        resolve_weights(spec)


@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_of_both_torch_formats_are_read(tmp_path, zipped):
    path = tmp_path / "w.pt"
    torch.save({"a": torch.arange(3)}, path, _use_new_zipfile_serialization=zipped)
    assert load_checkpoint(path)["a"].tolist() == [0, 1, 2]


def test_safetensors_are_read(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "w.safetensors")
    assert load_checkpoint(tmp_path / "w.safetensors")["a"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_a_truncated_file_is_one_line(tmp_path, kind, share):
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pt")
    if kind == "safetensors":
        save_file({"a": torch.ones(5000)}, path)
    else:
        torch.save({"a": torch.ones(5000)}, path, _use_new_zipfile_serialization=kind == "zip")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(UserError, match=r"w\.\w+: expected a complete weights file") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def _training_checkpoint() -> dict[str, object]:
    return {
        "state_dict": {"a": torch.ones(3)},
        "args": argparse.Namespace(lr=np.float32(0.5), betas=(0.9, 0.98)),
        "best_acc1": np.float64(60.25),
        "epoch": np.int64(250),
    }


def test_a_training_checkpoint_is_read_as_its_authors_saved_it(tmp_path):
    """ULIP's and ReCon's scripts save arguments, and numpy's learning rates and scores."""
    torch.save(_training_checkpoint(), tmp_path / "w.pt")
    read = load_checkpoint(tmp_path / "w.pt")
    assert vars(read["args"]) == {"lr": 0.5, "betas": (0.9, 0.98)}
    assert (read["best_acc1"], read["epoch"]) == (60.25, 250)
    assert nested(read, "state_dict", tmp_path)["a"].tolist() == [1, 1, 1]


def test_a_pickle_with_more_than_settings_names_the_conversion_that_mends_it(tmp_path):
    torch.save(_training_checkpoint() | {"log": np.ones(2)}, tmp_path / "w.pt")
    asked = r"more than tensors \([^)]*numpy\.ndarray\).*python -m pipeline.weights convert"
    with pytest.raises(UserError, match=asked) as caught:
        load_checkpoint(tmp_path / "w.pt")
    assert "Namespace" not in str(caught.value)  # which is no reason
    command = ["-m", "pipeline.weights", "convert", tmp_path / "w.pt", tmp_path / "plain.pt"]
    subprocess.run([sys.executable, *command], check=True, cwd=Path(__file__).parents[2])
    plain = load_checkpoint(tmp_path / "plain.pt")
    assert plain["args"] == {"lr": 0.5, "betas": (0.9, 0.98)}
    assert (plain["best_acc1"], plain["epoch"]) == (60.25, 250)
    assert torch.equal(plain["state_dict"]["a"], torch.ones(3))
    assert plain["log"].tolist() == [1, 1]


def test_numbers_of_numpy_1_are_read_and_converted_too(tmp_path):
    torch.save({"best_acc1": np.float64(60.25)}, tmp_path / "new.pt")
    with (
        zipfile.ZipFile(tmp_path / "new.pt") as new,
        zipfile.ZipFile(tmp_path / "w.pt", "w") as old,
    ):
        for name in new.namelist():  # its pickle names modules as plain lines
            old.writestr(name, new.read(name).replace(b"cnumpy._core.", b"cnumpy.core."))
    assert load_checkpoint(tmp_path / "w.pt") == {"best_acc1": 60.25}
    convert(tmp_path / "w.pt", tmp_path / "plain.pt")
    assert load_checkpoint(tmp_path / "plain.pt") == {"best_acc1": 60.25}


def _script_archive(path: Path) -> nn.Module:
    """Of some modules, one with half precision and a buffer, and of much code."""
    module = nn.Sequential(*(nn.Linear(2, 2) for _ in range(40)), nn.BatchNorm1d(2))
    script = torch.jit.trace(module.eval(), torch.ones(1, 2))
    script.get_submodule("3").half()
    script.save(path)
    return script


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_the_tensors_of_a_script_archive_are_read(tmp_path):
    expected = _script_archive(tmp_path / "w.pt").state_dict()
    with zipfile.ZipFile(tmp_path / "w.pt") as archive:  # its code is compressed
        assert any(record.compress_size < record.file_size for record in archive.infolist())
    read = load_checkpoint(tmp_path / "w.pt")
    assert read.keys() == expected.keys()
    assert read["3.weight"].dtype == torch.float16
    assert all(torch.equal(read[name], expected[name]) for name in expected)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_the_code_of_a_script_archive_does_not_count_as_unpacked(tmp_path):
    _script_archive(tmp_path / "small.pt")
    with (
        zipfile.ZipFile(tmp_path / "small.pt") as small,
        zipfile.ZipFile(tmp_path / "w.pt", "w") as large,
    ):
        for name in small.namelist():
            large.writestr(name, small.read(name))
        large.writestr("small/code/more.py", bytes(1 << 20), zipfile.ZIP_DEFLATED)
    assert "3.weight" in load_checkpoint(tmp_path / "w.pt")


class _Intruder:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


def test_neither_loading_nor_converting_runs_code(tmp_path):
    torch.save({"a": torch.ones(1), "b": _Intruder(tmp_path / "ran")}, tmp_path / "w.pt")
    with pytest.raises(UserError, match="pathlib"):
        load_checkpoint(tmp_path / "w.pt")
    with pytest.raises(UserError, match="holds more than tensors, numbers and settings"):
        convert(tmp_path / "w.pt", tmp_path / "plain.pt")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "plain.pt").exists()


def test_the_nesting_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="under 'state_dict', found model, epoch"):
        nested({"model": {}, "epoch": 1}, "state_dict", tmp_path)


def test_strict_loading_ignores_only_what_it_is_told_to():
    module = nn.Linear(2, 3)
    wanted = {"weight": torch.ones(3, 2), "bias": torch.zeros(3), "head.w": torch.ones(1)}
    load_state(module, wanted, Path("w.pt"), ignored=(("head.*", "unused"),))
    assert module.weight.sum() == 6


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"bias": torch.zeros(3)}, r"'weight' of shape \[3, 2\] expected, found no such tensor"),
        (
            {"weight": torch.ones(3, 4), "bias": torch.zeros(9)},
            r"'weight' of shape \[3, 2\] expected, found shape \[3, 4\]",
        ),
        (
            {"weight": torch.ones(3, 2), "bias": torch.zeros(3), "more": torch.ones(7)},
            r"no tensor 'more' expected, found one of shape \[7\]",
        ),
    ],
)
def test_the_first_differing_tensor_is_named_with_both_shapes(tensors, message):
    with pytest.raises(UserError, match="w.pt: .*" + message):
        load_state(nn.Linear(2, 3), tensors, Path("w.pt"))


def test_a_module_on_meta_gets_its_own_float32_tensors():
    with torch.device("meta"):
        module = nn.Linear(2, 1, bias=False)
    half = torch.ones(1, 2, dtype=torch.float16)
    load_state(module, {"weight": half}, Path("w.pt"))
    assert module.weight.dtype == torch.float32
    assert module.weight.tolist() == [[1.0, 1.0]]


def test_prefix_and_hash(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert file_sha256(tmp_path / "f").startswith("ba7816bf")
    wrapped = ("module.module.a", "_orig_mod.b", "module._orig_mod.module.c", "d.module.e")
    assert list(unwrapped(dict.fromkeys(wrapped, torch.ones(1)))) == ["a", "b", "c", "d.module.e"]

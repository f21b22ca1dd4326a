"""Weights files made to hang, flood or run code: each is refused in one line, nothing is run."""

import os
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.checkpoint import load_checkpoint, load_state, nested, refuse_non_finite
from pipeline.unpickling import convert
from pipeline.weights import resolve_weights
from tests.pipeline.refusals import ODD_PLACES, refused


def converted(path: Path) -> object:
    return convert(path, path.with_name("plain.pt"))


READERS: dict[str, Callable[[Path], object]] = {"load": load_checkpoint, "convert": converted}


def rezipped(path: Path, change: Callable[[str, bytes], bytes], method: int) -> None:
    """The checkpoint of a tensor with its records changed."""
    whole = path.with_name("whole.pt")
    torch.save({"a": torch.ones(4)}, whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))


def script_archive(path: Path, content: bytes) -> None:
    """A TorchScript archive with this pickle."""
    pickled(path, content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("whole/constants.pkl", b"\x80\x02).")


def zip_bomb(path: Path) -> None:
    def flood(name: str, data: bytes) -> bytes:
        return bytes(1 << 26) if name.endswith("data/0") else data

    rezipped(path, flood, zipfile.ZIP_DEFLATED)


def pickled(path: Path, content: bytes) -> None:
    """A zip checkpoint with this pickle."""
    rezipped(path, lambda name, data: content if name.endswith(".pkl") else data, 0)


def pax_tar(path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 60_000
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + b"1" * 60_416)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.touch(),
    "garbage": lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
    "a zip bomb": zip_bomb,
    "a zip of nothing": lambda path: zipfile.ZipFile(path, "w").close(),
    "a cut zip": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(1000)),
    "a tar with pax's backtracking": pax_tar,
    "a pickle of a huge text": lambda path: pickled(path, b"\x80\x02X\xff\xff\xff\xffa."),
    "deep tuples": lambda path: pickled(path, b"\x80\x02)" + b"\x85" * 200_000 + b"."),
    "no pickle": lambda path: pickled(path, b""),
    "code": lambda path: pickled(path, b"\x80\x02cos\nsystem\n(X\x05\x00\x00\x00false\x85R."),
    "an archive of code": lambda path: script_archive(
        path, b"\x80\x02cos\nsystem\n(X\x05\x00\x00\x00false\x85R."
    ),
    "a legacy pickle of code": lambda path: path.write_bytes(pickle.dumps(os.system, protocol=2)),
    **ODD_PLACES,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, case: str, reader: str) -> None:
    path = tmp_path / "w.pt"
    HOSTILE[case](path)
    line = refused(lambda: READERS[reader](path))
    assert line.startswith(f"{path}: ")
    assert "weights_only" not in line  # torch advises to run what is in the file
    assert not list(tmp_path.glob("plain.pt*"))


@pytest.mark.parametrize("kind", ["a folder", "a named pipe", "a device"])
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "w.safetensors"
    ODD_PLACES[kind](path)
    assert f"regular file, found {kind}" in refused(lambda: load_checkpoint(path))
    assert f"found {kind} there" in refused(lambda: resolve_weights(str(path)))


@pytest.mark.parametrize("length", [0, 10, 1 << 62, (1 << 64) - 1])
def test_a_safetensors_header_of_any_length_is_refused(tmp_path: Path, length: int) -> None:
    (tmp_path / "w.safetensors").write_bytes(length.to_bytes(8, "little") + b"{" * 1000)
    refused(lambda: load_checkpoint(tmp_path / "w.safetensors"))


def test_what_is_shared_without_end_is_walked_once(tmp_path: Path) -> None:
    """Written out it would have a million million values."""
    shared: list[object] = [torch.ones(2)]
    for _ in range(40):
        shared = [shared, shared]
    torch.save({"a": shared, "b": 1}, tmp_path / "w.pt")
    converted(tmp_path / "w.pt")
    plain = load_checkpoint(tmp_path / "plain.pt")["a"]
    assert plain[0] is plain[1]


def test_what_holds_itself_is_refused(tmp_path: Path) -> None:
    loop: list[object] = []
    loop.append(loop)
    torch.save({"a": loop}, tmp_path / "w.pt")
    assert "it holds itself" in refused(lambda: converted(tmp_path / "w.pt"))


def test_an_array_that_the_file_does_not_hold_is_refused(tmp_path: Path) -> None:
    """`_reconstruct` makes an array of any size, here of 8 GB, without its bytes."""
    head = b"\x80\x02}X\x01\x00\x00\x00acnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
    size = (1 << 30).to_bytes(4, "little")
    pickled(tmp_path / "w.pt", head + b"J" + size + b"\x85X\x01\x00\x00\x00d\x87Rs.")
    assert "more bytes than it has" in refused(lambda: converted(tmp_path / "w.pt"))


@pytest.mark.parametrize("made", [Path("/a/b"), PurePosixPath("a/../b"), PureWindowsPath("c:/a")])
def test_paths_are_converted_to_texts(tmp_path: Path, made: object) -> None:
    torch.save({"args": {"out": made}, "w": torch.ones(1)}, tmp_path / "w.pt")
    assert "python -m pipeline.weights convert" in refused(
        lambda: load_checkpoint(tmp_path / "w.pt")
    )
    converted(tmp_path / "w.pt")
    assert load_checkpoint(tmp_path / "plain.pt")["args"] == {"out": str(made)}


def test_a_target_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    torch.save({"a": 1}, tmp_path / "w.pt")
    line = refused(lambda: convert(tmp_path / "w.pt", tmp_path / "w.pt" / "plain.pt"))
    assert line.startswith(f"{tmp_path / 'w.pt' / 'plain.pt'}: cannot be written")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2])
@pytest.mark.parametrize(("value", "said"), [(np.nan, "NaN"), (np.inf, "an infinite number")])
def test_weights_that_are_not_finite_are_named(dtype: torch.dtype, value: float, said: str) -> None:
    good = {"a": torch.full((5, 7), 3e4).to(dtype), "n": torch.tensor([1]), "e": torch.empty(0)}
    refuse_non_finite(good, Path("w.pt"))
    bad = torch.ones(5, 7)
    bad[3, 2] = value
    line = refused(lambda: refuse_non_finite({**good, "b": bad.to(dtype)}, Path("w.pt")))
    assert line.startswith(f"w.pt: tensor 'b' holds {said}")


def test_what_is_no_plain_tensor_is_named() -> None:
    wanted = {"weight": torch.ones(3, 2), "bias": torch.ones(3)}
    for odd, said in (
        ("text", "a str"), (torch.ones(3, 2).to_sparse(), "sparse_coo"),
        (torch.ones(3, 2, dtype=torch.complex64), "complex64"), (torch.full((3, 2), np.nan), "NaN"),
    ):  # fmt: skip
        odd_state = {**wanted, "weight": odd}
        line = refused(lambda: load_state(nn.Linear(2, 3), odd_state, Path("w.pt")))  # noqa: B023
        assert "'weight'" in line
        assert said in line


def test_names_of_wrappers_are_taken_off_and_odd_names_refused(tmp_path: Path) -> None:
    state = OrderedDict({"module._orig_mod.module.a": torch.ones(1)})
    assert list(nested({"model": state}, "model", tmp_path)) == ["a"]
    assert "under 'model'" in refused(lambda: nested({"model": {1: 2}}, "model", tmp_path))
    assert "found 1, " in refused(lambda: nested({1: 2, "b": 3}, "model", tmp_path))

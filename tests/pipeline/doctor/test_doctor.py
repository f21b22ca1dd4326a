"""`python -m pipeline.doctor` over the paper's recipe, in miniature and on an empty machine."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.doctor import __main__ as module
from pipeline.doctor import datasets, space
from tests.official_downloads import make_all, paper_params
from tests.pipeline.datasets.conversions import put

DATASETS = (
    "imagenet", "shapenet", "sunrgbd", "modelnet40", "scanobjectnn", "nyud", "audioset", "vggsound",
    "esc50", "audiocaps", "msrvtt", "ucf101",
)  # fmt: skip
"""The paper's twelve."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, on a disk that is never full."""
    monkeypatch.chdir(tmp_path)
    with_free(monkeypatch, 10**13)
    return tmp_path


def with_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Every disk has `free` bytes, whatever this machine has."""
    disk = SimpleNamespace(total=2 * 10**13, used=2 * 10**13 - free, free=free)
    monkeypatch.setattr(space.shutil, "disk_usage", lambda folder: disk)


def doctor(monkeypatch: pytest.MonkeyPatch, capsys, *more: str) -> tuple[int, dict[str, str]]:
    """Exit code, and `kind name` -> its state and what was found, on one line."""
    monkeypatch.setattr(sys, "argv", ["doctor", "--params", "params.yaml", *more])
    code = 0
    try:
        module.main()
    except SystemExit as exited:
        code = int(str(exited.code))
    rows, kind, name = dict[str, str](), "", ""
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("┃"):
            kind = line.split("┃")[1].strip()
        cells = [cell.strip() for cell in line.split("│")[1:-1]]
        if len(cells) == 3:
            name = f"{kind} {cells[0]}" if cells[0] else name
            rows[name] = " ".join([rows.get(name, ""), *cells[1:]]).strip()
    return code, {name: " ".join(said.split()) for name, said in rows.items()}


def of(kind: str, rows: dict[str, str]) -> dict[str, str]:
    return {name.partition(" ")[2]: said for name, said in rows.items() if name.startswith(kind)}


def test_with_all_of_it_in_place_the_paper_can_be_run(here: Path, monkeypatch, capsys) -> None:
    make_all(here)
    paper_params(here / "params.yaml")
    code, rows = doctor(monkeypatch, capsys)
    assert code == 0, rows
    assert set(DATASETS) <= of("dataset", rows).keys()
    for kind in ("dataset", "teacher", "student", "tool python", "disk"):
        assert all(said.startswith("there ") for said in of(kind, rows).values())
    assert rows["dataset vggsound"] == ("there data/vggsound: train 1 of 183,730, test 1 of 15,446")
    assert rows["store ulip-shapenet"].startswith("to make run: python -m stage1_extract")


def test_with_nothing_in_place_all_twelve_are_missed(here: Path, monkeypatch, capsys) -> None:
    paper_params(here / "params.yaml")
    code, rows = doctor(monkeypatch, capsys)
    assert code == 1
    found = of("dataset", rows)
    assert all(found[name].startswith("missing ") for name in DATASETS)
    assert re.search(
        "missing data/esc50: get it from github.com/.*ESC-50.*GB.*CC BY", found["esc50"]
    )
    assert all(said.startswith("missing ") for said in of("teacher", rows).values())


def test_another_layout_is_told_beside_the_one_expected(here: Path, monkeypatch, capsys) -> None:
    make_all(here)
    paper_params(here / "params.yaml")
    (here / "data/esc50/meta").rename(here / "data/esc50/metadata")
    (here / "data/msrvtt/videos/all/video9.mp4").unlink()
    code, rows = doctor(monkeypatch, capsys)
    assert code == 1
    wrong = {name: said for name, said in rows.items() if said.startswith("wrong")}
    assert wrong.keys() == {"dataset esc50", "dataset msrvtt"}
    assert re.search("esc50.csv: not found.*audio/[*].wav", wrong["dataset esc50"])


def test_what_takes_long_to_list_is_not_waited_for(here: Path, monkeypatch, capsys) -> None:
    make_all(here)
    paper_params(here / "params.yaml")
    monkeypatch.setattr(datasets, "LISTING_SECONDS", 0.0)
    code, rows = doctor(monkeypatch, capsys)
    assert code == 0
    assert "so not counted" in rows["dataset imagenet"]


def test_deep_compares_the_weights_with_what_is_pinned(here: Path, monkeypatch, capsys) -> None:
    make_all(here)
    pinned = {"ulip": {"arch": "ulip1-pointbert", "weights": "weights/ulip/checkpoint_pointbert.pt",
                       "sha256": "0" * 64}}  # fmt: skip
    paper_params(here / "params.yaml", teachers=pinned)
    assert doctor(monkeypatch, capsys)[0] == 0
    code, rows = doctor(monkeypatch, capsys, "--deep")
    assert code == 1
    assert "expected sha256 0000" in rows["teacher ulip ulip1-pointbert"]


def test_weights_that_are_cut_short_are_told(here: Path, monkeypatch, capsys) -> None:
    make_all(here)
    paper_params(here / "params.yaml")
    put(here, {"weights/vitlens/vitlensL_audio.pt": b"PK\x03\x04 and no more"})
    code, rows = doctor(monkeypatch, capsys)
    assert code == 1
    assert rows["teacher vitlens vitlens-l-audio"].startswith("wrong weights/vitlens/vitlensL_aud")


def test_a_disk_too_small_for_the_stores_is_told(here: Path, monkeypatch, capsys) -> None:
    make_all(here)
    paper_params(here / "params.yaml")
    with_free(monkeypatch, 10**6)
    code, rows = doctor(monkeypatch, capsys)
    assert code == 1
    assert rows["disk shards"].startswith("there ")
    said = r"wrong cache/unialign: 0 GB free; .* take [1-9]\d*\.\d GB.* larger disk's folder"
    assert re.match(said, rows["disk cache"]), rows["disk cache"]


def test_a_modality_that_nothing_trains_is_wrong(here: Path, monkeypatch, capsys) -> None:
    make_all(here)
    paper_params(here / "params.yaml", train={"sources": {"imagenet": 1, "shapenet": 1}})
    code, rows = doctor(monkeypatch, capsys)
    assert code == 1
    assert rows["recipe student.modalities"].startswith(
        "wrong no source of train.sources trains video, depth, audio; add one of each"
    )

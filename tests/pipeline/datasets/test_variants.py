"""Official layouts as people have them: a level deeper, linked, in capitals, half unpacked."""

import importlib
from pathlib import Path

import pytest

from pipeline.datasets import esc50, imagenet, modelnet40, sunrgbd, ucf101
from pipeline.datasets.reading.folders import folder_with
from pipeline.errors import UserError
from tests import official_downloads
from tests.pipeline.datasets.conversions import put
from tests.pipeline.datasets.test_rooms import FIRST, rooms

OFF = "OFF\r\n3 1 0\r\n0 0 0\r\n1 0 0\r\n0 1 0\r\n3 0 1 2\r\n"


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw folders of the paper's recipe in miniature, by name."""
    root = tmp_path_factory.mktemp("official")
    official_downloads.make_all(root)
    return root / "data"


READ = {
    "imagenet": "train", "shapenet-55": "train", "modelnet40": "test", "scanobjectnn": "test_nobg",
    "sunrgbd": "test", "nyud": "test", "audioset": "train", "vggsound": "test", "esc50": "test",
    "audiocaps": "test-without-vggsound", "msrvtt": "test", "ucf101": "test01",
}  # fmt: skip
"""Raw folder -> a split of it."""


@pytest.mark.parametrize(("name", "split"), READ.items())
def test_a_folder_of_the_archives_name_around_it_changes_nothing(
    official: Path, tmp_path: Path, name: str, split: str
) -> None:
    converter = importlib.import_module(
        f"pipeline.datasets.{'ulip_shapenet' if name == 'shapenet-55' else name}"
    )
    around = put(tmp_path / "raw folder \u00e9", {"__MACOSX/x/._a": b"", "Thumbs.db": b""})
    (around / f"{name}-master").symlink_to(official / name, target_is_directory=True)
    plain, nested = (converter.read(raw, split) for raw in (official / name, around))
    assert [item.key for item in nested.items] == [item.key for item in plain.items] != []
    assert nested.classes == plain.classes


def test_a_folder_that_is_there_twice_is_told(tmp_path: Path) -> None:
    raw = put(tmp_path, {"a/meta/esc50.csv": "", "b/meta/esc50.csv": "", "c/d": ""})
    with pytest.raises(UserError, match="found meta/esc50.csv in .*a and in .*b; remove one"):
        esc50.read(raw, "test")
    assert folder_with(raw, "x") == raw
    assert folder_with(raw, "x", "d") == raw / "c"


def test_sounds_and_clips_in_capitals_or_another_container_are_found(
    official: Path, tmp_path: Path
) -> None:
    table = official / "esc50" / "meta" / "esc50.csv"
    names = [path.name.upper() for path in (official / "esc50" / "audio").iterdir()]
    raw = put(tmp_path / "esc", {f"audio/{name}": b"" for name in names})
    put(raw, {"meta/esc50.csv": table.read_bytes()})
    assert len(esc50.read(raw, "test").items) == 50
    action = "ClassAa/v_ClassAa_g01_c01"
    raw = put(tmp_path / "ucf", {f"UCF-101/UCF-101/{action}.mp4": b""})
    (raw / "ucfTrainTestlist").symlink_to(official / "ucf101" / "ucfTrainTestlist")
    assert len(ucf101.read(raw, "test01").items) == 1


def test_meshes_are_found_in_a_folder_twice_of_that_name(tmp_path: Path) -> None:
    mesh = "ModelNet40/ModelNet40/chair/test/chair_0001.OFF"
    raw = put(tmp_path, {mesh: OFF, "ModelNet40/metadata_modelnet40.csv": ""})
    (item,) = modelnet40.read(raw, "test").items
    assert (item.key, item.read().keys()) == ("chair_0001", {"points.npy", "meta.json"})


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["modelnet40_ply_hdf5_2048/ply_data_test0.h5"], "found ply_data_test0.h5"),
        (["modelnet40_normal_resampled/chair/chair_0001.txt"], "found modelnet40_normal_resampled"),
    ],
)
def test_another_release_of_modelnet_is_told(tmp_path: Path, files: list[str], found: str) -> None:
    put(tmp_path, dict.fromkeys(files, b""))
    why = f"with modelnet40_test.txt in it, .*_fps.dat, or ModelNet40/CLASS/test/.*off, {found}"
    with pytest.raises(UserError, match=why):
        modelnet40.read(tmp_path, "test")


def test_imagenet_as_packed_tars_is_told(tmp_path: Path) -> None:
    put(tmp_path, {"train/n01440764.tar": b""})
    with pytest.raises(UserError, match="train: expected folders such as n01440764/; unpack"):
        imagenet.read(tmp_path, "train")


def test_a_scene_with_a_byte_order_mark_is_the_scene(tmp_path: Path) -> None:
    raw = rooms(tmp_path, {}, {FIRST: "\ufeffoffice\r\n"})
    (item,) = sunrgbd.read(raw, "test").items
    assert item.key == FIRST

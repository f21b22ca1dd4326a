"""SUN RGB-D and NYU-Depth v2: depth as models read it, scenes by their official names."""

import io
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image

from pipeline.datasets.nyud import rotated_millimetres
from pipeline.decoding.depth import decode_depth
from pipeline.errors import UnreadableSample, UserError
from tests.made_media import corners, saved
from tests.made_members import depth_png, waves
from tests.pipeline.datasets.conversions import converted, labels, put, rejected

FIRST, SECOND = "kv1/NYUdata/NYU0001", "xtion/sun3ddata/a.b/c"
INTRINSICS = "518.857901 0 284.58\n0 519.46 208.73\n0 0 1\n"


def rooms(root: Path, train: dict[str, str], test: dict[str, str]) -> Path:
    """A miniature of both zips: item -> scene, of either split."""
    raw = root / "raw"
    for name, scene in {**train, **test}.items():
        put(raw / "SUNRGBD" / name, {
            "image/a.jpg": saved(corners(), "jpeg"), "depth_bfx/a.png": depth_png(waves()),
            "depth/a.png": b"raw", "intrinsics.txt": INTRINSICS, "scene.txt": scene,
        })  # fmt: skip
    place = raw / "SUNRGBDtoolbox" / "traintestSUNRGBD"
    place.mkdir(parents=True)
    lists = {f"all{split}": np.array([[f"/n/fs/sun3d/data/SUNRGBD/{name}//" for name in names]],
                                     dtype=object)
             for split, names in (("train", train), ("test", test))}  # fmt: skip
    scipy.io.savemat(place / "allsplit.mat", lists)
    return raw


def test_sun_test_has_the_19_scenes_alone(tmp_path: Path) -> None:
    raw = rooms(tmp_path, {}, {FIRST: "living_room\n", SECOND: "gym"})
    index, samples = converted(raw, "sunrgbd", "depth", "test", samples=1)
    assert labels(index, samples) == {FIRST: ["living_room"]}
    assert (len(index.classes), index.words[-1]) == (19, "study space")
    meta = json.loads(samples[FIRST]["meta.json"])
    assert meta["depth"] == {"encoding": "sunrgbd-raw", "baseline": 0.075, "fx": 518.857901}
    stored = np.asarray(Image.open(io.BytesIO(samples[FIRST]["depth.png"])))
    assert np.array_equal(stored, waves())
    assert "image.jpg" in samples[FIRST]


def test_a_sun_list_of_one_item_is_a_list(tmp_path: Path) -> None:
    raw = rooms(tmp_path, {}, {FIRST: "living_room"})
    index, samples = converted(raw, "sunrgbd", "depth", "test", samples=1)
    assert labels(index, samples) == {FIRST: ["living_room"]}


def test_sun_train_captions_what_is_none_of_them_and_leaves_out_the_unknown(
    tmp_path: Path,
) -> None:
    third = "realsense/sa/1"
    raw = rooms(tmp_path, {FIRST: "idk", SECOND: "coffee_room", third: "office"}, {})
    index, samples = converted(raw, "sunrgbd", "depth", samples=2)
    key = SECOND.replace(".", "-")
    assert labels(index, samples) == {key: [], third: ["office"]}
    assert index.captions == ["coffee room"]
    assert json.loads(samples[key]["meta.json"])["depth"]["baseline"] == 0.095


def test_a_sun_item_without_intrinsics_or_folder_is_told(tmp_path: Path, capsys) -> None:
    raw = rooms(tmp_path, {FIRST: "office", SECOND: "office", "kv2/x": "office"}, {})
    (raw / "SUNRGBD" / FIRST / "intrinsics.txt").write_text("none\n")
    (raw / "SUNRGBD" / SECOND / "scene.txt").unlink()
    converted(raw, "sunrgbd", "depth", max_rejected=0.5)
    assert "expected a focal length" in rejected(raw)[FIRST]
    said = capsys.readouterr().err
    assert f"1 items of alltrain have no scene.txt: {SECOND}" in said
    assert "2 of 5,133" in said


def test_a_split_file_that_is_none_is_told(tmp_path: Path) -> None:
    raw = put(tmp_path / "raw", {"SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat": b"<html>"})
    with pytest.raises(UserError, match=r"allsplit.mat: no readable .mat file"):
        converted(raw, "sunrgbd", "depth")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return frames(tmp_path_factory.mktemp("nyud") / "raw")


def frames(raw: Path) -> Path:
    """Three frames of 640 x 480 as MATLAB 7.3 stores them: axes reversed, cells as references."""
    raw.mkdir()
    metres = np.full((3, 640, 480), 2.0, np.float32)
    metres[0, 40, 44], metres[1] = 9.0, np.nan
    with h5py.File(raw / "nyu_depth_v2_labeled.mat", "w") as file:
        file.create_dataset("depths", data=metres, compression="gzip", chunks=(1, 640, 480))
        file.create_dataset("images", data=np.zeros((3, 3, 640, 480), np.uint8), compression=1)
        texts = [file.create_dataset(f"#refs#/{n}", data=np.array([[ord(c)] for c in scene], "<u2"))
                 for n, scene in enumerate(("study_room", "bedroom", "office"))]  # fmt: skip
        cells = file.create_dataset("sceneTypes", (1, 3), h5py.ref_dtype)
        cells[0] = [text.ref for text in texts]
    return raw


def split_of(raw: Path, numbers: list[int]) -> None:
    scipy.io.savemat(raw / "splits.mat", {"testNdxs": np.array(numbers, "<u2").reshape(-1, 1)})


def test_nyu_depth_is_what_sun_has_of_these_frames(labelled: Path) -> None:
    split_of(labelled, [1, 2])
    index, samples = converted(labelled, "nyud", "depth", "test", samples=2, max_rejected=0.5)
    assert labels(index, samples) == {"NYU0001": ["study_room"]}
    assert index.words[-7:] == [
        "computer room", "lobby", "office kitchen", "playroom", "reception room", "study",
        "study space",
    ]  # fmt: skip
    raw = np.asarray(Image.open(io.BytesIO(samples["NYU0001"]["depth.png"])))
    assert raw.shape == (427, 561)
    assert (raw[5, 5], raw[0, 0]) == (2000 * 8, (9000 * 8) % 65536 + 9000 // 8192)
    depth = decode_depth(samples["NYU0001"]["depth.png"], {"encoding": "sunrgbd-raw",
                         "baseline": 0.075, "fx": 518.857901})  # fmt: skip
    assert np.isclose(depth.disparity(raw)[5, 5], 0.075 * 518.857901 / 16)
    assert "expected 0 to 65.535 metres" in rejected(labelled, "test")["NYU0002"]


def test_nyu_numbers_beyond_the_file_are_told(labelled: Path) -> None:
    split_of(labelled, [1, 4])
    with pytest.raises(UserError, match=r"labeled.mat: 3 frames, of which testNdxs names 4"):
        converted(labelled, "nyud", "depth", "test")
    split_of(labelled, [0, 1450])
    with pytest.raises(UserError, match=r"splits.mat: expected numbers of 1 to 1449 in testNdxs"):
        converted(labelled, "nyud", "depth", "test")


def test_nyu_frames_are_suns_where_they_are_there(tmp_path: Path, capsys) -> None:
    names = {FIRST: "study_space\n", "kv1/NYUdata/NYU0002": "bedroom", SECOND: "bedroom"}
    raw = rooms(tmp_path, names, {})
    (raw / "nyu_depth_v2_labeled.mat").write_bytes(b"not read")
    (raw / "SUNRGBD/kv1/NYUdata/NYU0004").mkdir()
    split_of(raw, [1, 4])
    index, samples = converted(raw, "nyud", "depth", "test", samples=1)
    assert labels(index, samples) == {"NYU0001": ["study_room"]}
    stored = np.asarray(Image.open(io.BytesIO(samples["NYU0001"]["depth.png"])))
    assert np.array_equal(stored, waves())
    meta = json.loads(samples["NYU0001"]["meta.json"])
    assert meta["depth"] == {"encoding": "sunrgbd-raw", "baseline": 0.075, "fx": 518.857901}
    assert "1 frames have no scene.txt: NYU0004" in capsys.readouterr().err


def test_a_frame_of_a_scene_that_the_benchmark_lacks_is_rejected(tmp_path: Path) -> None:
    raw = rooms(tmp_path, {FIRST: "gym", "kv1/NYUdata/NYU0002": "office"}, {})
    split_of(raw, [1, 2])
    converted(raw, "nyud", "depth", "test", samples=2, max_rejected=0.5)
    assert "gym" in rejected(raw, "test")["NYU0001"]


def test_millimetres_are_rotated_left_by_three_bits() -> None:
    assert rotated_millimetres(np.array([0, 0.001, 8.192])).tolist() == [0, 8, 1]
    with pytest.raises(UnreadableSample):
        rotated_millimetres(np.array([-1.0]))

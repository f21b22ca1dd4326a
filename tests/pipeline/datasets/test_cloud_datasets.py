"""ModelNet40, ScanObjectNN and ULIP-ShapeNet: clouds from text, meshes, HDF5 and .npy."""

import io
import json
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.errors import UserError
from tests.made_media import corners, saved
from tests.pipeline.datasets.conversions import converted, labels, put, rejected
from tests.tiny_world import npy_bytes

TETRAHEDRON = "0 0 0\n2 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n"
RESAMPLED = "modelnet40_normal_resampled"
CLOUD = np.random.default_rng(1).normal(size=(5, 6))


def points(members: dict[str, bytes]) -> np.ndarray:
    return np.load(io.BytesIO(members["points.npy"]))


def text_release(root: Path, listed: str) -> Path:
    lines = "".join(",".join(f"{value:.6f}" for value in row) + "\n" for row in CLOUD)
    return put(root / "raw", {
        f"{RESAMPLED}/night_stand/night_stand_0201.txt": lines,
        f"{RESAMPLED}/xbox/xbox_0104.txt": lines,
        f"{RESAMPLED}/modelnet40_test.txt": listed,
    })  # fmt: skip


def test_modelnet_text_keeps_the_points_and_leaves_the_normals(tmp_path: Path, capsys) -> None:
    raw = text_release(tmp_path, "night_stand_0201\r\nxbox_0104\r\nbed_0001\r\nxbox_0104\r\n")
    index, samples = converted(raw, "modelnet40", "points", "test", samples=2)
    assert labels(index, samples) == {"night_stand_0201": ["night_stand"], "xbox_0104": ["xbox"]}
    assert index.words[index.classes.index("night_stand")] == "night stand"
    found = points(samples["xbox_0104"])
    assert found.dtype == np.float32
    assert np.allclose(found, CLOUD[:, :3], atol=1e-6)
    said = capsys.readouterr().err
    assert "1 samples of modelnet40_test.txt have no file: bed_0001" in said
    assert "1 names are in modelnet40_test.txt more than once: xbox_0104" in said


def test_modelnet_meshes_are_sampled_by_their_key_alone(tmp_path: Path) -> None:
    raw = put(tmp_path / "raw", {
        "ModelNet40/chair/test/chair_0001.off": f"OFF\n4 4 6\n{TETRAHEDRON}",
        "ModelNet40/chair/test/chair_0002.off": f"OFF4 4 6\n{TETRAHEDRON}",
        "ModelNet40/chair/train/chair_0003.off": f"OFF\n4 4 6\n{TETRAHEDRON}",
        "ModelNet40/chair/test/chair_0004.off": "OFF\n4 4 6\n0 0 0\n",
    })  # fmt: skip
    settings = {"samples": 3, "max_rejected": 0.5}
    _, first = converted(raw, "modelnet40", "points", "test", **settings)
    _, second = converted(raw, "modelnet40", "points", "test", samples_per_shard=1, **settings)
    assert first == second
    assert first.keys() == {"chair_0001", "chair_0002"}
    assert first["chair_0001"]["points.npy"] != first["chair_0002"]["points.npy"]
    found = points(first["chair_0002"])
    assert found.shape == (10_000, 3)
    # z is up in the file and y here. The slanted face has 1.5 of 4 parts of the area: points there
    # have x/2 + y + z = 1 in the file
    assert abs(np.isclose(found @ [0.5, 1, -1], 1, atol=1e-6).mean() - 0.375) < 0.02
    assert np.allclose(found.max(axis=0), [2, 1, 0], atol=0.1)
    assert np.allclose(found.min(axis=0), [0, 0, -1], atol=0.1)
    assert rejected(raw, "test").keys() == {"chair_0004"}


DAT = "modelnet40_test_8192pts_fps.dat"
SCANS = [np.random.default_rng(seed).normal(size=(8, 6)).astype(np.float32) for seed in range(3)]


def pickled(protocol: int, scans: list[np.ndarray] = SCANS) -> bytes:
    """As ULIP's data/dataset_3d.py dumps them: night_stand, xbox, night_stand."""
    return pickle.dumps([scans, [np.array([n]).astype(np.int32) for n in (23, 39, 23)]], protocol)


@pytest.mark.parametrize("protocol", [3, 4])
def test_modelnet_pickles_are_read_by_their_places(tmp_path: Path, protocol: int) -> None:
    raw = put(tmp_path / "raw", {f"{RESAMPLED}/{DAT}": pickled(protocol)})
    index, samples = converted(raw, "modelnet40", "points", "test", samples=3)
    assert labels(index, samples) == {
        "night_stand_test0000": ["night_stand"], "xbox_test0001": ["xbox"],
        "night_stand_test0002": ["night_stand"],
    }  # fmt: skip
    assert np.array_equal(points(samples["xbox_test0001"]), SCANS[1][:, :3])


def test_modelnet_pickles_have_the_names_of_a_list_beside_them(tmp_path: Path) -> None:
    """As ULIP gives them out: both lists, the pickles, and no text of a shape."""
    names = ["night_stand_0201", "xbox_0104", "night_stand_0202"]
    raw = put(tmp_path / "raw", {
        f"{RESAMPLED}/{DAT}": pickled(3), f"{RESAMPLED}/modelnet40_test.txt": "\n".join(names),
    })  # fmt: skip
    _, samples = converted(raw, "modelnet40", "points", "test", samples=3)
    assert samples.keys() == set(names)
    assert np.array_equal(points(samples["night_stand_0202"]), SCANS[2][:, :3])
    put(raw, {f"{RESAMPLED}/modelnet40_test.txt": "\n".join(reversed(["bed_0001", *names[1:]]))})
    with pytest.raises(UserError, match="expected a label for each cloud, as modelnet40_test.txt"):
        converted(raw, "modelnet40", "points", "test", samples=3)


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("code of a pickle was run",)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (pickle.dumps([[Harmful()], []], 3), "found 0 clouds, 0 labels"),
        (pickled(3)[:300], "no readable pickle of arrays"),
        (pickled(3, [scan.astype(float) for scan in SCANS]), "expected float32"),
        (pickled(3, [np.asfortranarray(scan) for scan in SCANS]), "expected arrays in C's order"),
        (pickled(3, SCANS[:2]), "found 2 clouds, 3 labels"),
        (pickle.dumps([SCANS[:1], [np.array([40], np.int32)]], 3), "labels of 0 to 39, found 40"),
    ],
    ids=["code", "cut short", "float64", "columns first", "another number", "another label"],
)
def test_modelnet_pickles_of_anything_else_are_told(
    tmp_path: Path, capsys, content: bytes, why: str
) -> None:
    raw = put(tmp_path / "raw", {DAT: content})
    with pytest.raises(UserError, match=why):
        converted(raw, "modelnet40", "points", "test")
    assert "was run" not in capsys.readouterr().out


def scanned(root: Path, labels: list[float], dtype: str = "<f4", points: int = 8) -> Path:
    raw = put(root / "raw", {})
    (raw / "h5_files" / "main_split").mkdir(parents=True)
    clouds = np.random.default_rng(2).normal(size=(len(labels), points, 3))
    with h5py.File(raw / "h5_files/main_split/test_objectdataset.h5", "w") as file:
        file["data"] = clouds.astype(dtype)
        file["label"] = np.array(labels)
    return raw


def test_scanobjectnn_has_labels_of_either_type(tmp_path: Path) -> None:
    raw = scanned(tmp_path, [14.0, 0.0, 0.5])
    index, samples = converted(raw, "scanobjectnn", "points", "test", samples=3, max_rejected=0.5)
    assert labels(index, samples) == {"test-000000": ["toilet"], "test-000001": ["bag"]}
    assert points(samples["test-000000"]).shape == (8, 3)
    assert rejected(raw, "test") == {"test-000002": "label 0.5: expected one of 0 to 14"}


def test_scanobjectnn_is_a_list_of_581(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mine/test: 2 of 581 samples.*{test: 2}"):
        converted(scanned(tmp_path, [1, 2]), "scanobjectnn", "points", "test")


def test_scanobjectnn_of_another_type_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'data': expected NxNx3 of type f, found 1x8x3 int64"):
        converted(scanned(tmp_path, [1], "<i8"), "scanobjectnn", "points", "test", samples=1)


def pictures(name: str, *kinds: str) -> dict[str, bytes]:
    return {f"{name}_r_{angle:03}{kind}.png": saved(corners().rotate(angle), "png")
            for angle in (0, 12) for kind in kinds}  # fmt: skip


def triplets(root: Path) -> Path:
    taxonomy = [
        {"synsetId": "02", "name": "airplane,aeroplane", "children": [], "numInstances": 1},
        {"synsetId": "03", "name": "sofa", "children": [], "numInstances": 1},
    ]
    raw = put(root / "raw", {
        "train.txt": "02-1.npy\n", "test.txt": "03-9.npy\n02-4.npy\n",
        "taxonomy.json": json.dumps(taxonomy),
        "shapenet_pc/02-1.npy": npy_bytes(CLOUD[:, :3]),
        "shapenet_pc/03-9.npy": npy_bytes(CLOUD[:, :3]),
    })  # fmt: skip
    for name in ("02-1", "03-9"):
        put(raw / "rendered_images" / name, pictures(name, "", "_depth0001"))
    return raw


def test_ulip_triplets_have_a_cloud_one_rgb_view_and_the_names_of_the_synset(
    tmp_path: Path, capsys
) -> None:
    raw = triplets(tmp_path)
    index, samples = converted(raw, "ulip_shapenet", "points")
    assert labels(index, samples) == {"02-1": ["airplane,aeroplane"], "03-9": ["sofa"]}
    assert index.words == ["airplane", "sofa"]
    assert samples["02-1"].keys() == {"points.npy", "image.png", "meta.json", "text.json"}
    assert json.loads(samples["02-1"]["text.json"])["captions"] == ["airplane", "aeroplane"]
    said = capsys.readouterr().err
    assert "1 listed objects have no cloud in shapenet_pc: 02-4" in said
    assert "2 of 52,470" in said


def test_ulip_of_all_five_renderings_the_rgb_is_the_view(tmp_path: Path) -> None:
    raw = triplets(tmp_path)
    for name in ("02-1", "03-9"):
        others = pictures(name, "_albedo0001", "_depth0001", "_id0001", "_normal0001")
        put(raw / "rendered_images" / name, dict.fromkeys(others, b"no picture"))
    _, samples = converted(raw, "ulip_shapenet", "points")
    colours = pictures("any", "").values()
    assert all(each["image.png"] in colours for each in samples.values())
    for view in (raw / "rendered_images" / "03-9").glob("*_r_0??.png"):
        view.unlink()
    converted(raw, "ulip_shapenet", "points", max_rejected=0.5, samples_per_shard=1)
    assert rejected(raw) == {"03-9": "rendered_images: no RGB view 03-9_r_*.png"}


def test_ulip_pictures_in_one_folder_are_the_same_views(tmp_path: Path) -> None:
    raw = triplets(tmp_path)
    _, apart = converted(raw, "ulip_shapenet", "points")
    flat = raw / "only_rgb_depth_images"
    flat.mkdir()
    for path in list((raw / "rendered_images").rglob("*.png")):
        path.rename(flat / path.name)
    shutil.rmtree(raw / "rendered_images")
    _, together = converted(raw, "ulip_shapenet", "points", samples_per_shard=1)
    assert together == apart


def test_a_synset_without_a_name_is_told(tmp_path: Path) -> None:
    raw = put(triplets(tmp_path), {"test.txt": "77-1.npy\n"})
    with pytest.raises(UserError, match="taxonomy.json: no synset 77"):
        converted(raw, "ulip_shapenet", "points")

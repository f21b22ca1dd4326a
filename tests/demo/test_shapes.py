"""Sampling, rendering, splitting and packing are pure functions."""

import numpy as np
import pytest

pytest.importorskip("embreex", reason="rebuilding the pack takes the demo extra")
trimesh = pytest.importorskip("trimesh")

# ruff: noqa: E402 - what is imported below needs the packages asked for above
from demo.archives import npy_bytes, write_zip
from demo.cameras import CAMERAS
from demo.captions import class_prompts, object_captions
from demo.meshes import Material, Model
from demo.points import sample_points
from demo.render import BACKGROUND, Scene
from demo.splits import duplicate_groups, split
from pipeline.errors import UserError


def model_of(mesh: trimesh.Trimesh, opacity: float = 1.0) -> Model:
    return Model(
        np.asarray(mesh.vertices),
        np.asarray(mesh.faces),
        np.zeros((len(mesh.vertices), 2)),
        np.zeros(len(mesh.faces), int),
        (Material(np.array([1, 0, 0], np.float32), opacity, None),),
    )


def test_a_cloud_depends_on_its_key_only():
    box = model_of(trimesh.creation.box((1, 2, 3)))
    assert np.array_equal(sample_points(box, "a"), sample_points(box, "a"))
    assert not np.array_equal(sample_points(box, "a"), sample_points(box, "b"))


def test_a_model_without_area_is_refused():
    flat = trimesh.Trimesh(np.zeros((3, 3)), [[0, 1, 2]], process=False)
    with pytest.raises(UserError, match="key: the mesh has no surface area"):
        sample_points(model_of(flat), "key")


def test_a_red_sphere_is_red_in_the_middle_and_fills_the_frame():
    image = Scene(model_of(trimesh.creation.icosphere(3))).render(CAMERAS[0])
    red, green, _ = image[64, 64].astype(int)
    assert red > 150
    assert green == 0
    ink = (np.abs(image.astype(int) - 237).max(axis=2) > 8).mean()
    assert 0.55 < ink < 0.79


def test_glass_lets_the_background_through():
    image = Scene(model_of(trimesh.creation.icosphere(3), opacity=0.3)).render(CAMERAS[0])
    assert 0 < image[64, 64, 1] < 255 * BACKGROUND[1]


def test_the_same_shape_under_two_names_stays_together():
    shapes = {
        "sphere-a": trimesh.creation.icosphere(3),
        "sphere-b": trimesh.creation.icosphere(2),
        "box": trimesh.creation.box((1, 1, 1)),
    }
    clouds = {key: sample_points(model_of(mesh), key) for key, mesh in shapes.items()}
    groups = duplicate_groups(clouds, dict.fromkeys(shapes, (0, 0)))
    assert groups == [["box"], ["sphere-a", "sphere-b"]]


def test_a_split_takes_whole_groups_and_spares_mixed_ones():
    labels = {f"{kind}{i}": kind for kind in ("cup", "car") for i in range(10)}
    groups = [["cup0", "car0"], *([key] for key in labels if key not in ("cup0", "car0"))]
    test = split(labels, groups)
    assert not {"cup0", "car0"} & test
    assert sorted(labels[key] for key in test) == ["car"] * 3 + ["cup"] * 3


def test_archives_are_the_same_bytes_in_any_order(tmp_path):
    members = {"b": b"2", "a": npy_bytes(np.arange(3))}
    write_zip(tmp_path / "1.zip", members, True)
    write_zip(tmp_path / "2.zip", dict(reversed(members.items())), True)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_captions_name_the_class_where_the_name_does_not():
    record = {"name": "Ford Focus", "class": "car", "category": "Vehicles", "tags": ["SCPTS"]}
    captions = object_captions(record)
    assert "a 3D model of a car" in captions
    assert "a car on the road" in captions
    assert not any("scpts" in caption.lower() for caption in captions)
    assert "a photo of an armchair" in class_prompts("armchair")

"""Depth maps and clips of shapes whose geometry is known."""

import io

import numpy as np
import pytest

pytest.importorskip("embreex", reason="rebuilding the pack takes the demo extra")
trimesh = pytest.importorskip("trimesh")

# ruff: noqa: E402 - what is imported below needs the packages asked for above
from PIL import Image

from demo.cameras import CAMERAS, Camera
from demo.clips import encode
from demo.depth_maps import depth_map
from demo.framing import DISTANCE, window_around
from demo.meshes import Material, Model
from demo.render import Scene
from pipeline.decoding.video import decode_video

STRAIGHT = Camera("straight", 0, 0)


def scene_of(mesh: trimesh.Trimesh, opacity: float = 1.0) -> Scene:
    red = Material(np.array([1, 0, 0], np.float32), opacity, None)
    uv, owner = np.zeros((len(mesh.vertices), 2)), np.zeros(len(mesh.faces), int)
    return Scene(Model(np.asarray(mesh.vertices), np.asarray(mesh.faces), uv, owner, (red,)))


def depth_of(scene: Scene, camera: Camera, side: int = 65) -> np.ndarray:
    return scene.depth(camera, window_around(scene.vertices, [camera]), side)


def test_depth_is_measured_along_the_optical_axis_not_along_the_ray():
    depth = depth_of(scene_of(trimesh.creation.box((2, 2, 0.5))), STRAIGHT)
    front = depth[np.isfinite(depth)]
    assert len(front) > 0.8 * depth.size
    assert np.ptp(front) < 1e-5
    assert front[0] == pytest.approx(DISTANCE - 0.25 / np.hypot(np.hypot(1, 1), 0.25), abs=1e-5)


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.name)
def test_a_sphere_is_nearest_in_its_middle_and_as_large_as_the_focal_length_says(camera):
    scene = scene_of(trimesh.creation.icosphere(5))
    depth = depth_of(scene, camera)
    assert depth[32, 32] == pytest.approx(DISTANCE - 1, abs=1e-3)
    assert depth.min() == pytest.approx(depth[32, 32], abs=1e-3)
    radius = window_around(scene.vertices, [camera]).focal_length(65) / np.sqrt(DISTANCE**2 - 1)
    assert np.isfinite(depth).sum() == pytest.approx(np.pi * radius**2, rel=0.02)


@pytest.mark.parametrize(("opacity", "seen"), [(0.08, False), (0.2, True)])
def test_glass_counts_as_a_surface_and_what_is_hardly_there_does_not(opacity, seen):
    front = trimesh.creation.box((2, 2, 0))
    depth = depth_of(scene_of(front, opacity), Camera("side", 30, 0))
    assert np.isfinite(depth).any() == seen


def test_a_stored_map_is_in_millimetres_before_a_wall_in_the_frame_of_the_render():
    scene = scene_of(trimesh.creation.icosphere(5))
    made = depth_map(scene, CAMERAS[0])
    stored = np.asarray(Image.open(io.BytesIO(made.png)))
    assert stored.dtype == np.uint16
    assert (stored.min(), stored.max()) == (1100, 2600)
    red = np.ptp(scene.render(CAMERAS[0], 96), axis=2) > 60
    assert (red & (stored < 2600)).sum() / (red | (stored < 2600)).sum() > 0.95
    assert made.sensor["fx"] == pytest.approx(96 / 2 / 1.08 * np.sqrt(DISTANCE**2 - 1), rel=0.01)


def test_a_clip_is_the_same_bytes_again_and_keeps_its_colours():
    frames = [np.full((96, 96, 3), (60 + n, 120, 200), np.uint8) for n in range(4)]
    content = encode(frames)
    assert content == encode(iter(frames))
    assert np.abs(decode_video(content).decode([2])[2].astype(int) - frames[2]).max() < 5

"""Video views, and what is paired with audio: Table 1's values, one draw for all frames."""

import numpy as np
import pytest
from PIL import Image

from pipeline.config import ViewsConfig
from pipeline.samples import decode_member
from pipeline.views import EVALUATION, ViewMaker, ViewRng, chain_for
from pipeline.views.image import CentreParams
from pipeline.views.short_side import ShortSideParams, apply_short_side, sample_short_side
from pipeline.views.video import Frames, VideoParams, apply_video, clip_numbers, sample_video
from tests.made_members import every_member, video_bytes

DRAWS = 10_000
SIZES = ViewsConfig(image_size=64)
PLAIN = {"flip": False, "augment": False, "operations": (0, 0), "signs": (1, 1)}


@pytest.fixture(scope="module")
def drawn() -> list[VideoParams]:
    return [sample_video(ViewRng(0, f"clip-{n}", 0), ViewsConfig()) for n in range(DRAWS)]


def noise(width: int = 90, height: int = 70, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def ramps(width: int, height: int) -> Image.Image:
    """Red rises to the right, green downwards."""
    red, green = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([red, green, 0 * red], axis=-1).round().astype(np.uint8))


@pytest.mark.parametrize(("name", "chance"), [("flip", 0.5), ("augment", 0.3), ("erase", 0.25)])
def test_chances_are_table_ones(name: str, chance: float, drawn: list[VideoParams]) -> None:
    share = np.mean([getattr(params, name) for params in drawn])
    assert share == pytest.approx(chance, abs=4 * (chance * (1 - chance) / DRAWS) ** 0.5)


def test_the_short_side_is_256_to_340_and_each_as_often(drawn: list[VideoParams]) -> None:
    sides, counts = np.unique([params.short_side for params in drawn], return_counts=True)
    assert sides.tolist() == list(range(256, 341))
    assert np.abs(counts - DRAWS / 85).max() < 5 * (DRAWS / 85) ** 0.5


def test_operations_signs_and_places_are_uniform(drawn: list[VideoParams]) -> None:
    operations = np.bincount(np.array([params.operations for params in drawn]).ravel())
    assert len(operations) == 14
    assert np.abs(operations - 2 * DRAWS / 14).max() < 5 * (2 * DRAWS / 14) ** 0.5
    assert abs(np.mean([params.signs for params in drawn])) < 0.04
    for name in ("start", "top", "left"):
        values = np.array([getattr(params, name) for params in drawn])
        assert np.abs(np.histogram(values, 10, (0, 1))[0] - DRAWS / 10).max() < 160


def test_the_erased_share_is_two_to_33_percent(drawn: list[VideoParams]) -> None:
    areas = np.array([params.erase_boxes[0, 0] for params in drawn])
    ratios = np.array([params.erase_boxes[0, 1] for params in drawn])
    assert 0.02 <= areas.min() < 0.03
    assert 0.32 < areas.max() <= 0.33
    assert 0.3 <= ratios.min() < 0.31
    assert 3.2 < ratios.max() <= 3.3


def test_sizes_scale_with_the_view() -> None:
    sides = {sample_short_side(ViewRng(0, str(n), 0), 64).short_side for n in range(2000)}
    assert sides == set(range(73, 98))


@pytest.mark.parametrize(
    ("count", "start", "expected"),
    [
        (57, 0.99, [0, 8, 16, 24, 32, 40, 48, 56]),
        (60, 0.99, [3, 11, 19, 27, 35, 43, 51, 59]),
        (60, 0.5, [2, 10, 18, 26, 34, 42, 50, 58]),
        (20, 0.7, [0, 8, 16, 19, 19, 19, 19, 19]),
        (1, 0.7, [0] * 8),
    ],
)
def test_a_clip_is_8_frames_at_stride_8(count: int, start: float, expected: list[int]) -> None:
    assert clip_numbers(count, start, frames=8, stride=8) == expected


@pytest.mark.parametrize("size", [(90, 70), (70, 90), (300, 40)])
def test_the_crop_is_that_of_the_scaled_frame_within_a_pixel(size: tuple[int, int]) -> None:
    params = ShortSideParams(short_side=80, top=0.4, left=0.7, **PLAIN)
    image = ramps(*size)
    width, height = (80 * side // min(size) for side in size)
    scaled = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = int(0.7 * (width - 63)), int(0.4 * (height - 63))
    expected = np.asarray(scaled.crop((left, top, left + 64, top + 64))).transpose(2, 0, 1)
    found = apply_short_side([np.asarray(image)], params, 64)[0]
    moved = np.abs(found.astype(int) - expected)[:2].max(axis=(1, 2))
    assert (moved <= 255 / np.array(size) + 1).all()  # one pixel of a ramp, and rounding


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (64, 64), (900, 3)])
def test_any_shape_of_frame_gives_a_view(size: tuple[int, int]) -> None:
    for number in range(30):
        params = sample_short_side(ViewRng(1, str(number), 0), 64)
        assert apply_short_side([noise(*size)], params, 64).shape == (1, 3, 64, 64)


def test_every_frame_gets_the_same_draw_and_the_same_box() -> None:
    still = Frames(70, dict.fromkeys(range(70), noise()))
    erased = augmented = 0
    for number in range(60):
        params = sample_video(ViewRng(0, f"still-{number}", 0), SIZES)
        view = apply_video(still, params, SIZES)
        assert (view == view[0]).all()
        erased += params.erase and bool((view == 0).all(axis=(0, 1)).any())
        augmented += params.augment
    assert erased > 5
    assert augmented > 5


def test_a_view_is_pure_and_leaves_its_frames_alone() -> None:
    images = {number: noise(seed=number) for number in range(70)}
    before = {number: image.tobytes() for number, image in images.items()}
    params = sample_video(ViewRng(0, "clip", 4), SIZES)
    first = apply_video(Frames(70, images), params, SIZES)
    assert np.array_equal(apply_video(Frames(70, images), params, SIZES), first)
    assert {number: image.tobytes() for number, image in images.items()} == before


def test_evaluation_is_the_central_clip_and_crop() -> None:
    maker = ViewMaker(chain_for("video", "video"), 0, SIZES)
    clip = decode_member({"video.mp4": video_bytes()}, "video")
    view = maker(clip, "clip", EVALUATION).array
    levels = view[:, :, 40:, :].mean(axis=(1, 2, 3))
    assert levels == pytest.approx([40 + 2 * (7 + 8 * place) for place in range(8)], abs=2)
    assert isinstance(maker.params("clip", EVALUATION), CentreParams)


def test_views_of_one_decode_are_those_of_decoding_each() -> None:
    maker = ViewMaker(chain_for("video", "video"), 0, SIZES)
    members = {"video.mp4": video_bytes(90)}
    together = maker.views(decode_member(members, "video"), "clip", range(6))
    alone = [maker(decode_member(members, "video"), "clip", view) for view in reversed(range(6))]
    assert [v.content_digest for v in together] == [v.content_digest for v in reversed(alone)]
    assert len({view.content_digest for view in together}) == 6


def test_an_image_teacher_sees_the_same_clip() -> None:
    assert chain_for("video", "image") == chain_for("video", "video")


@pytest.mark.parametrize("model", ["image", "video"])
def test_what_is_paired_with_audio_is_not_erased_or_jittered(model: str) -> None:
    maker = ViewMaker(chain_for("audio", model), 0, SIZES)
    assert not {"erase", "jitter"} & vars(maker.params("key", 0)).keys()
    view = maker(decode_member(every_member(), model), "key", 0).array
    assert view.shape[-3:] == (3, 64, 64)
    assert view.dtype == np.uint8


def test_a_clip_whose_frames_change_their_size_is_cropped_frame_by_frame() -> None:
    frames = [noise(90, 70), noise(120, 80), noise(120, 80, 1)]
    params = sample_short_side(ViewRng(0, "clip", 0), 64)
    found = apply_short_side(frames, params, 64)
    assert all(
        np.array_equal(v, apply_short_side([f], params, 64)[0]) for v, f in zip(found, frames)
    )

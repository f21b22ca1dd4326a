"""Video tokens: the image's weights over two-frame clips, motion and time learned on top."""

import pytest
import torch
import torch.nn.functional as F

from pipeline.config.student import VideoConfig
from pipeline.errors import UserError
from stage2_train.student import Student
from tests.stage2_train.student.made_batches import images, uniform, videos

PATCHES = 4


def test_equal_frames_give_the_images_tokens_once_a_clip(five: Student) -> None:
    still = images()[:, None].expand(-1, 6, -1, -1, -1)
    five.tokenizers["video"].motion.data.fill_(0.1)  # in a still clip there is none to see
    image = five.tokenizers["image"](five.visual, images())
    video = five.tokenizers["video"](five.visual, still)
    assert video.shape == (3, 1 + 3 * PATCHES, 32)
    torch.testing.assert_close(video[:, :1], image[:, :1])
    torch.testing.assert_close(video[:, 1:], image[:, 1:].repeat(1, 3, 1))


def test_a_clip_is_frames_2n_and_2n_plus_1(five: Student) -> None:
    tokenizer, x = five.tokenizers["video"], videos()
    before = tokenizer(five.visual, x)
    x[:, 3] = 255 - x[:, 3]
    changed = (tokenizer(five.visual, x) != before).any(-1).any(0)
    assert changed.tolist() == [False] * (1 + PATCHES) + [True] * PATCHES + [False] * PATCHES


def test_the_two_parts_are_one_inflated_convolution(five: Student) -> None:
    tokenizer, frames = five.tokenizers["video"], uniform(2, 6, 3, 32, 32)
    tokenizer.motion.data.normal_(std=0.02, generator=torch.Generator().manual_seed(0))
    weight, motion = five.visual.conv1.weight, tokenizer.motion
    inflated = torch.stack((weight / 2 - motion, weight / 2 + motion), dim=2)
    expected = F.conv3d(frames.transpose(1, 2), inflated, stride=(2, 16, 16))
    found = tokenizer._patches(five.visual, frames)
    torch.testing.assert_close(found, expected.flatten(3).permute(0, 2, 3, 1))


def test_time_starts_at_zero_and_moves_one_clips_tokens(five: Student) -> None:
    tokenizer = five.tokenizers["video"]
    assert tokenizer.time.shape == (3, 32)
    assert not tokenizer.time.any()
    before = tokenizer(five.visual, videos())
    tokenizer.time.data[2, 0] = 1.0
    changed = (tokenizer(five.visual, videos()) != before).any(-1).any(0)
    assert changed.tolist() == [False] * (1 + 2 * PATCHES) + [True] * PATCHES


def test_reversed_time_is_seen_once_motion_is_learned(five: Student) -> None:
    swapped = videos()[:, [1, 0, 3, 2, 5, 4]]
    assert torch.equal(five.encode("video", videos()), five.encode("video", swapped))
    five.tokenizers["video"].motion.data.fill_(0.1)
    assert not torch.equal(five.encode("video", videos()), five.encode("video", swapped))


def test_raw_frames_are_normalised_as_images_are(five: Student) -> None:
    tokenizer = five.tokenizers["video"]
    normalised = tokenizer.image.normalise(videos())
    assert torch.equal(tokenizer(five.visual, videos()), tokenizer(five.visual, normalised))


@pytest.mark.parametrize("shape", [(2, 8, 3, 32, 32), (2, 6, 3, 48, 32), (6, 3, 32, 32)])
def test_a_video_of_another_size_is_refused(five: Student, shape: tuple[int, ...]) -> None:
    message = r"videos \[B, 6, 3, 32, 32\], found \[" + ", ".join(map(str, shape))
    with pytest.raises(UserError, match=message + r"\]; set student.video.frames") as error:
        five.encode("video", torch.zeros(shape))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("frames", [0, 1, 7])
def test_clips_of_two_need_an_even_number_of_frames(frames: int) -> None:
    with pytest.raises(ValueError, match=f"even, from 2 to .*, found {frames}"):
        VideoConfig(frames=frames)

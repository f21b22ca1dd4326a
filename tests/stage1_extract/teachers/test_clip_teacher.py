"""The CLIP teacher: images, clips as the mean of their frames, prompts."""

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from stage1_extract.teachers import Teacher, load_teacher

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Teacher:
    folder: Path = tmp_path_factory.mktemp("tiny")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": TINY}))
    with torch.random.fork_rng(devices=[]):
        save_file(dict(open_clip.CLIP(**TINY).state_dict()), folder / "open_clip_model.safetensors")
    return load_teacher("clip", arch=f"local-dir:{folder}")


def test_a_clip_of_frames_is_the_mean_of_its_frames(teacher):
    clip = np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)
    feature = teacher.encode(teacher.preprocess(clip)[None])
    frames = torch.stack([teacher.preprocess(frame) for frame in clip])
    torch.testing.assert_close(feature[0], teacher.encode(frames).mean(0))
    assert feature.shape == (1, teacher.dim)


def test_text_and_description(teacher):
    assert teacher.encode_text(["a chair", "a bed"]).shape == (2, 16)
    assert (teacher.name, teacher.modality) == ("clip", "image")
    assert set(teacher.provenance) >= {
        "teacher",
        "arch",
        "weights",
        "weights_sha256",
        "arch_sha256",
    }
    assert "mean (0.48145466" in teacher.provenance["preprocessing"]

"""ReCon zero-shot at full size against the official code's outputs."""

import numpy as np
import pytest
import torch
from compare import assert_close, outputs, record
from fill import official_keys, save_official
from inputs import clouds

from stage1_extract.teachers import load_teacher
from stage1_extract.teachers.point_grouping import farthest_points, nearest_points, take_points

pytestmark = pytest.mark.full_size
GOLDEN = outputs("recon_zeroshot")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    file = tmp_path_factory.mktemp("recon") / "official.pth"
    save_official(file, official_keys("recon_zeroshot"), "base_model")
    return load_teacher("recon", weights=str(file), arch="recon-zeroshot")


def test_every_golden_tensor(teacher):
    encoder = teacher.model.MAE_encoder
    blocks = encoder.blocks["blocks"]
    inner = record(
        {
            "group_tokens": encoder.encoder,
            "pos": encoder.pos_embed,
            "block0": blocks[0],
            "block11": blocks[11],
            "norm_first3": encoder.norm,
            "text_feature": teacher.model.text_proj,
            "img_feature": teacher.model.img_proj,
        }
    )
    assert_close(teacher.encode(torch.from_numpy(clouds(0, 2, 1024))), GOLDEN["feature"], "feature")
    for name in ("norm_first3", "text_feature", "img_feature"):
        assert_close(inner[name], GOLDEN[name], name)
    for name in ("group_tokens", "pos"):
        assert_close(inner[name][:, :4], GOLDEN[name], name)
    for name in ("block0", "block11"):  # both streams: three queries, then patches
        assert_close(torch.cat(tuple(inner[name]), dim=1)[:, :8], GOLDEN[name], name)


def test_centres_and_neighbours_are_the_official_picks():
    xyz = torch.from_numpy(clouds(0, 2, 1024))
    picks = farthest_points(xyz, 64)
    assert np.array_equal(picks, GOLDEN["fps_idx"])
    neighbours = nearest_points(xyz, take_points(xyz, picks), 32).sort(-1).values
    assert np.array_equal(neighbours, GOLDEN["knn_idx"])


def test_preprocessing_is_the_official_sampling(teacher):
    view = clouds(100, 1, 2048)[0]
    sampled = teacher.preprocess(view)
    assert np.array_equal(sampled, view[GOLDEN["sampling_idx"]])
    assert_close(teacher.encode(sampled[None]), GOLDEN["sampled_feature"], "sampled_feature")

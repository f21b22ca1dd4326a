"""ULIP and ULIP-2 at full size against the official code's outputs."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from compare import assert_close, outputs, record
from fill import official_keys, save_official
from inputs import clouds

from stage1_extract.teachers import load_teacher
from stage1_extract.teachers.point_grouping import farthest_points, nearest_points, take_points
from stage1_extract.teachers.slip_text import encode_ids
from stage1_extract.teachers.ulip import UlipTeacher

pytestmark = pytest.mark.full_size
PROMPTS = json.loads((Path(__file__).parent / "ulip1_prompts.json").read_text())
ULIP1 = ("ulip1-pointbert", "ulip1_pointbert", 8192)
ULIP2 = ("ulip2-pointbert", "ulip2_pointbert", 10000)


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Return the teacher of an arch from a file in the official layout; each is made once."""

    @functools.cache
    def load(arch: str, case: str) -> UlipTeacher:
        file = tmp_path_factory.mktemp(case) / "official.pt"
        save_official(file, official_keys(case), "state_dict")
        return load_teacher("ulip", weights=str(file), arch=arch)

    return load


@pytest.fixture(params=[ULIP1, ULIP2], ids=["ulip1", "ulip2"])
def case(request, load):
    """A loaded teacher, its golden outputs and its input clouds."""
    arch, name, points = request.param
    views = clouds(0, 2, points, colour=arch.startswith("ulip2"))
    return load(arch, name), outputs(name), views


@pytest.fixture
def ulip1(load):
    return load(*ULIP1[:2])


def test_every_golden_tensor_of_the_point_encoder(case):
    teacher, golden, views = case
    bert = teacher.encoder.point_encoder
    modules = {"group_tokens": bert.encoder, "tokens": bert.reduce_dim, "pos": bert.pos_embed}
    blocks = bert.blocks["blocks"]
    modules |= {"block0": blocks[0], "blockL": blocks[-1], "norm": bert.norm}
    inner = record(modules | {"encoder_feature": bert})
    features = teacher.encode(torch.stack([teacher.preprocess(view) for view in views]))
    assert_close(features, golden["projected"], "projected")
    assert_close(inner["encoder_feature"], golden["encoder_feature"], "encoder_feature")
    assert_close(inner["tokens"].mean(1), golden["tokens_mean"], "tokens_mean")
    for name in modules:
        assert_close(inner[name][:, :4], golden[name], name)


def test_centres_and_neighbours_are_the_official_picks(case):
    _, golden, views = case
    xyz = torch.from_numpy(views[..., :3].copy())
    picks = farthest_points(xyz, 512)
    assert np.array_equal(picks, golden["fps_idx"])
    neighbours = nearest_points(xyz, take_points(xyz, picks), 32)
    assert np.array_equal(neighbours.sum(-1), golden["knn_idx_sum"])


def test_text_tower(ulip1):
    golden = outputs("ulip1_text")
    tower = ulip1.text_tower
    inner = record({"block0": tower.transformer.resblocks[0], "ln_final_eot": tower.ln_final})
    with torch.no_grad():
        features = encode_ids(tower, torch.from_numpy(golden["token_ids"].astype(np.int64)))
    assert_close(features, golden["text_feature"], "text_feature")
    assert_close(inner["block0"][:, :4], golden["block0"], "block0")
    assert_close(inner["ln_final_eot"], golden["ln_final_eot"], "ln_final_eot")


def test_tokenizer_cuts_over_long_prompts_as_ulips_does(ulip1):
    golden = outputs("ulip1_text")
    assert np.array_equal(ulip1.tokenizer(PROMPTS["strings"]), golden["tokenized"])


def test_zero_shot_procedure(ulip1):
    golden = outputs("ulip1_zeroshot")
    prompts = [text.format(name) for name in PROMPTS["classes"] for text in PROMPTS["templates"]]
    assert np.array_equal(ulip1.tokenizer(prompts), golden["prompt_ids"].reshape(-1, 77))
    features = ulip1.encode_text(prompts).unflatten(0, (3, 64))
    assert_close(features[:, ::8], golden["prompt_features"], "prompt_features")
    unit = torch.nn.functional.normalize
    classes = unit(unit(features, dim=-1).mean(1), dim=-1)
    assert_close(classes, golden["class_features"], "class_features")
    logits = unit(ulip1.encode(torch.from_numpy(clouds(0, 2, 8192))), dim=-1) @ classes.T
    assert np.abs(logits.numpy() - golden["logits"]).max() <= 2e-5

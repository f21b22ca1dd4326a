"""MultiMAE ViT-B at full size against the official code's outputs."""

import pytest
import torch
from compare import assert_close, outputs, record, relative_l2
from fill import official_keys, save_official
from inputs import normal_images, sampling_and_depth, semantic_maps, standardised_depth

from stage1_extract.teachers import load_teacher
from stage1_extract.teachers.multimae import standardise_depth

GOLDEN = outputs("multimae_depth")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    file = tmp_path_factory.mktemp("multimae") / "official.pth"
    save_official(file, official_keys("multimae_depth"), "model")
    return load_teacher("multimae", weights=str(file), arch="multimae-b")


@pytest.fixture(scope="module")
def inputs():
    made = {"depth": standardised_depth(0, 2), "rgb": normal_images(0, 2)}
    return {k: torch.from_numpy(v) for k, v in (made | {"semseg": semantic_maps(0, 2)}).items()}


@pytest.mark.full_size
@pytest.mark.parametrize("case", ["depth", "rgb", "semseg", "rgbdepth"])
def test_tokens_and_pooling(teacher, inputs, case):
    names = ["rgb", "depth"] if case == "rgbdepth" else [case]
    model = teacher.model
    inner = record({"block0": model.encoder[0], "tokens": model})
    model.encoder[0].register_forward_pre_hook(lambda _, given: inner.update(input=given[0]))
    feature = teacher.encode({name: inputs[name] for name in names})
    assert_close(feature, GOLDEN[f"{case}_mean_all"], "mean_all")
    assert_close(inner["input"][:, :2], GOLDEN[f"{case}_input_tokens"], "input tokens")
    assert_close(inner["block0"][:, :2], GOLDEN[f"{case}_block0"], "block0")
    assert_close(inner["tokens"][:, :4], GOLDEN[f"{case}_tokens"], "tokens")
    assert_close(inner["tokens"][:, -1], GOLDEN[f"{case}_global"], "global token")


@pytest.mark.full_size
def test_channels_say_what_a_batch_holds(teacher, inputs):
    both = torch.cat([inputs["rgb"], inputs["depth"]], dim=1)
    assert_close(teacher.encode(both), GOLDEN["rgbdepth_mean_all"], "rgb and depth")
    narrow = inputs["depth"][:1, :, :, :160]
    assert_close(teacher.encode(narrow), GOLDEN["depth_224x160_mean_all"], "224 x 160")


def test_depth_standardisation():
    golden = outputs("pointcloud_multimae_preprocess")["depth_pretrain_std"]
    for raw, expected in zip(sampling_and_depth()[1], golden, strict=True):
        assert relative_l2(standardise_depth(torch.from_numpy(raw)), expected) <= 1e-5

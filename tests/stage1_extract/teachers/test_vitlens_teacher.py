"""The ViT-Lens teacher at nano size: both official layouts, text, tied layers, bad input."""

import copy
import re

import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer

from pipeline.errors import UserError
from tests.stage1_extract.teachers.vitlens_nano import LENSES, Nano, make_nano

INPUTS = {"depth": (2, 1, 224, 224), "audio": (2, 512, 128), "pc": (2, 100, 3)}
LONG_PROMPT = "ab cd " * 60


def _batch(modality: str) -> torch.Tensor:
    return torch.randn(INPUTS[modality], generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=LENSES)
def nano(request, tmp_path) -> Nano:
    return make_nano(tmp_path, request.param)


@pytest.fixture
def audio(tmp_path) -> Nano:
    return make_nano(tmp_path, "audio")


@pytest.fixture
def points(tmp_path) -> Nano:
    return make_nano(tmp_path, "pc")


@pytest.mark.parametrize("layout", ["bare", "module.", "all in one"])
def test_trained_towers_load_back_through_every_official_layout(nano, layout):
    checkpoint = {"state_dict": {f"module.{name}": t for name, t in nano.tensors.items()}}
    chosen = {"bare": None, "module.": checkpoint, "all in one": nano.all_in_one()}
    teacher = nano.load(chosen[layout])
    batch = _batch(nano.modality)
    torch.testing.assert_close(teacher.encode(batch), nano.tower(batch).detach())
    ids = teacher.tokenizer(["ab", "cd ab"])
    expected = nano.clip.encode_text(ids).detach()
    torch.testing.assert_close(teacher.encode_text(["ab", "cd ab"]), expected)


def test_features_do_not_depend_on_the_batch_and_have_no_gradient(nano):
    teacher, batch = nano.load(), _batch(nano.modality)
    features = teacher.encode(batch)
    torch.testing.assert_close(teacher.encode(batch[1:]), features[1:])
    assert (features.shape, features.dtype) == ((2, teacher.dim), torch.float32)
    assert not features.requires_grad
    assert teacher.modality == {"pc": "points"}.get(nano.modality, nano.modality)


def test_every_parameter_of_a_built_tower_is_trainable(nano):
    tower = copy.deepcopy(nano.tower).train()
    tower(_batch(nano.modality)).square().sum().backward()
    idle = [name for name, p in tower.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle in ([], ["visual_adapter.encoder.first_conv.0.bias"])  # batch norm takes it out


def test_the_trunk_is_clips_image_tower(tmp_path):
    nano = make_nano(tmp_path, "depth")
    image_tower = nano.clip.visual
    nano.tower.load_state_dict(dict(image_tower.state_dict()), strict=False)
    with torch.no_grad():
        nano.tower.visual_adapter.pos_emb.zero_()
        kernel = image_tower.conv1.weight.sum(1, keepdim=True)
        nano.tower.visual_adapter.conv1.weight.copy_(kernel)
        grey = _batch("depth")
        torch.testing.assert_close(nano.tower(grey), image_tower(grey.expand(-1, 3, -1, -1)))


def test_clips_of_one_recording_are_averaged(audio):
    teacher, rows = audio.load(), _batch("audio")
    features = teacher.encode(torch.stack([rows, rows.flip(0)]))
    torch.testing.assert_close(features, teacher.encode(rows).mean(0).expand(2, -1))


def test_over_long_prompts_keep_their_end_token_as_in_open_clip(audio):
    teacher = audio.load()
    theirs = SimpleTokenizer(bpe_path=str(audio.folder / "bpe.txt.gz"))
    ids = teacher.tokenizer(["ab", LONG_PROMPT])
    assert torch.equal(ids, theirs(["ab", LONG_PROMPT], context_length=77))
    assert ids[1, -1] == theirs.eot_token_id


def test_layers_that_were_trained_tied_are_one_module_again(points):
    first = {name: re.sub(r"layers\.[23]\.", "layers.1.", name) for name in points.tensors}
    points.tensors = {name: points.tensors[source] for name, source in first.items()}
    teacher = points.load()
    layers = teacher.tower.perceiver.layers
    assert layers[1] is layers[2] is layers[3]
    assert layers[0] is not layers[1]
    lens = {name: t for name, t in points.tensors.items() if name.startswith("visual.")}
    points.tower.load_state_dict({k.removeprefix("visual."): v for k, v in lens.items()})
    batch = _batch("pc")
    torch.testing.assert_close(teacher.encode(batch), points.tower(batch).detach())


def test_the_near_origin_rule_of_ulip_does_not_hold_here(points):
    teacher, centres = points.load(), []
    adapter = teacher.tower.visual_adapter
    adapter.pos_embed.register_forward_pre_hook(lambda _, given: centres.extend(given))
    teacher.encode(0.001 * _batch("pc"))
    assert len(centres[0][0].unique(dim=0)) == 16


@pytest.mark.parametrize("tower", ["audio", "text"])
def test_a_tower_missing_from_the_all_in_one_file_is_an_error(audio, tower):
    checkpoint = audio.all_in_one()
    checkpoint["state_dict"] = {
        name: tensor
        for name, tensor in checkpoint["state_dict"].items()
        if not name.startswith(f"vitlens.{tower}.")
    }
    with pytest.raises(UserError, match=rf"nano.pt: expected the tower 'vitlens.{tower}.\*'"):
        audio.load(checkpoint)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visual.proj": None}, "'visual.proj' of shape .32, 24. expected, found no such tensor"),
        ({"visual.proj": torch.zeros(3, 3)}, r"found shape \[3, 3\]"),
        ({"visual.conv1.weight": torch.zeros(1)}, "no tensor 'visual.conv1.weight' expected"),
        ({"ln_final.bias": None}, "'ln_final.bias' of shape .16. expected, found no such tensor"),
        ({"visual.perceiver.latents": torch.zeros(4, 32)}, r"\[9, 32\] expected.*\[4, 32\]"),
        ({"optimizer.x": torch.zeros(1)}, "no tensor 'optimizer.x' expected"),
    ],
)
def test_missing_extra_and_misshapen_tensors_are_named(audio, change, message):
    audio.tensors |= change
    audio.tensors = {name: tensor for name, tensor in audio.tensors.items() if tensor is not None}
    with pytest.raises(UserError, match=message) as caught:
        audio.load()
    assert "\n" not in str(caught.value)


def test_an_all_in_one_error_shows_the_official_name(audio):
    checkpoint = audio.all_in_one()
    del checkpoint["state_dict"]["vitlens.audio.ln_pre.bias"]
    with pytest.raises(UserError, match="'vitlens.audio.ln_pre.bias' of shape"):
        audio.load(checkpoint)


def test_a_file_of_another_modality_is_refused(tmp_path):
    audio, depth = make_nano(tmp_path, "audio"), make_nano(tmp_path, "depth")
    audio.tensors = depth.tensors
    with pytest.raises(UserError, match="tensor 'visual.positional_embedding' of shape"):
        audio.load()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lens": {"modality": "tactile"}}, "tactile.*fields of VitLensArch"),
        ({"lens": {"modality": "audio", "strid": 10}}, "strid.*fields of VitLensArch"),
        ({"heads": 5}, "width 32 must be a multiple of heads 5"),
        ({"lens": {"modality": "points"}, "perceiver": None}, "without a perceiver"),
        ({"text": {"width": 16, "vocab_size": 20, "heads": 2}}, "token_embedding.weight"),
    ],
)
def test_a_bad_arch_file_is_one_line(audio, change, message):
    audio.arch |= change
    with pytest.raises(UserError, match=message) as caught:
        audio.load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("modality", "shape", "message"),
    [
        ("depth", (2, 3, 224, 224), r"disparity \[B, 1, 224, 224\], found \[2, 3, 224, 224\]"),
        ("audio", (2, 128, 512), r"filterbanks \[B, 512, 128\], found \[2, 128, 512\]"),
        ("pc", (2, 5, 3), "clouds .* of 8 points or more"),
    ],
)
def test_input_of_another_shape_is_refused(tmp_path, modality, shape, message):
    with pytest.raises(UserError, match=message):
        make_nano(tmp_path, modality).load().encode(torch.zeros(shape))

"""One frozen CLIP with its own preprocessing, tokenizer and activation, never random weights."""

import copy
import gzip
import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from open_clip.pretrained import _PRETRAINED
from open_clip.transform import PreprocessCfg, image_transform_v2
from open_clip.transformer import QuickGELU
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from pipeline.errors import UserError
from pipeline.openclip import OpenClip, load_openclip

TINY = {
    "embed_dim": 16,
    "vision_cfg": {
        "image_size": 32,
        "layers": 1,
        "width": 32,
        "patch_size": 16,
        "head_width": 16,
    },
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def _tiny_weights(path: Path, **overrides: object) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(dict(open_clip.CLIP(**{**TINY, **overrides}).state_dict()), path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _tiny_weights(tmp_path_factory.mktemp("tiny") / "open_clip_model.safetensors")


@pytest.fixture
def tiny(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "tiny-arch.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(tmp_path / "tiny-arch.json")
    tags = {
        "openai": {**open_clip.get_pretrained_cfg("ViT-B-32", "openai"), "file": str(weights)},
        "laion": {
            **open_clip.get_pretrained_cfg("ViT-L-14", "laion2b_s32b_b82k"),
            "file": str(weights),
        },
    }
    monkeypatch.setitem(_PRETRAINED, "tiny-arch", tags)
    return "tiny-arch"


class _Shell(nn.Module):
    """A CLIP's modules and tensors beside OpenAI's sizes, with a forward that is quickly traced."""

    def __init__(self, clip: nn.Module) -> None:
        super().__init__()
        for name, module in clip.named_children():
            self.add_module(name, module)
        for name, parameter in clip.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, size in (("input_resolution", 32), ("context_length", 77), ("vocab_size", 49408)):
            self.register_buffer(name, torch.tensor(size))
        self.register_buffer("attn_mask", clip.attn_mask)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


def _openai_archive(path: Path, weights: Path) -> Path:
    """The weights as OpenAI gives them out: a traced CLIP, sizes among its tensors, partly half."""
    clip = open_clip.CLIP(**TINY)
    clip.load_state_dict(load_file(weights))
    clip.transformer.half()
    torch.jit.trace(_Shell(clip), torch.ones(1)).save(path)
    return path


def _activation(clip: OpenClip) -> type[nn.Module]:
    return type(clip.model.transformer.resblocks[0].mlp.gelu)


def test_every_openai_tag_of_open_clip_asks_for_quick_gelu():
    models = open_clip.list_pretrained_models_by_tag("openai")
    assert "ViT-B-16" in models
    assert all(open_clip.get_pretrained_cfg(name, "openai")["quick_gelu"] for name in models)


def test_a_tag_brings_its_activation_also_where_the_file_is_given(tiny, weights):
    assert _activation(load_openclip(tiny, "openai")) is QuickGELU
    assert _activation(load_openclip(tiny, f"openai={weights}")) is QuickGELU
    assert _activation(load_openclip(tiny, f"laion={weights}")) is nn.GELU


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_an_archive_of_openai_is_read_without_its_code(tiny, weights, tmp_path):
    archive = _openai_archive(tmp_path / "ViT-T-16.pt", weights)
    clip, expected = load_openclip(tiny, f"openai={archive}"), load_file(weights)
    assert (_activation(clip), clip.weights) == (QuickGELU, archive)
    for name, tensor in clip.model.state_dict().items():
        half = name.startswith("transformer.")
        assert torch.equal(tensor, expected[name].half().float() if half else expected[name])


def test_a_training_checkpoint_of_open_clip_is_read(tiny, weights, tmp_path):
    """LAION's scaling-law models have numpy's learning rates in the optimizer's state."""
    state = {f"module.{name}": tensor for name, tensor in load_file(weights).items()}
    content = {"epoch": 3, "state_dict": state, "optimizer": {"lr": np.float64(1e-3)}}
    torch.save(content, tmp_path / "epoch_3.pt")
    assert load_openclip(tiny, f"laion={tmp_path / 'epoch_3.pt'}").embed_dim == 16


def test_a_file_alone_is_refused_where_the_tags_of_its_arch_differ(tiny, weights):
    with pytest.raises(UserError, match="tiny-arch differ in them; give TAG=.* of openai, laion"):
        load_openclip(tiny, str(weights))


def test_a_file_alone_takes_what_all_tags_of_its_arch_agree_on(tiny, weights):
    del _PRETRAINED[tiny]["openai"]
    clip = load_openclip(tiny, str(weights))
    assert (clip.mean, clip.resize_mode) == ((0.5, 0.5, 0.5), "shortest")
    assert clip.identity == load_openclip(tiny, "laion").identity


def test_a_config_beside_the_file_says_whose_it_is(tiny, weights, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(weights.read_bytes())
    _local_dir(tmp_path, None)
    assert load_openclip(tiny, str(tmp_path / "w.safetensors")).mean == (0.1, 0.2, 0.3)
    _local_dir(tmp_path, None, layers=2)
    with pytest.raises(UserError, match="text_cfg is .*'layers': 2.* is this a file of that arch"):
        load_openclip(tiny, str(tmp_path / "w.safetensors"))


def test_positions_of_another_size_are_refused_and_not_interpolated(tiny, tmp_path):
    vision = {**TINY["vision_cfg"], "image_size": 48}
    other = _tiny_weights(tmp_path / "other.safetensors", vision_cfg=vision)
    with pytest.raises(UserError, match=r"'visual.positional_embedding' of shape \[5, 32\].*10"):
        load_openclip(tiny, f"openai={other}")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path, weights, bad):
    tensors = load_file(weights)
    tensors["visual.proj"][3, 2] = bad
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="tensor 'visual.proj' holds (NaN|an infinite)"):
        load_openclip(_local_dir(tmp_path, tmp_path / "w.safetensors"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text_cfg": {"hf_tokenizer_name": "x", "tokenizer_kwargs": {}}}, "'hf_tokenizer_name'"),
        ({"text_cfg": {"tokenizer_kwargs": {"trust_remote_code": True}}}, "'trust_remote_code'"),
        ({"text_cfg": {"tokenizer_kwargs": {"bpe_path": "../x.gz"}}}, "bpe_path is '../x.gz'"),
        ({"text_cfg": {"hf_model_name": "evil/model"}}, "'hf_model_name' would have another"),
        ({"vision_cfg": {"timm_model_name": "hf-hub:evil/model"}}, "'timm_model_name' would"),
        ({"vision_cfg": {"width": 10**6}}, "tensor 'visual.class_embedding' of shape"),
        ({"vision_cfg": {"width": 10**9}}, "vision_cfg.width is 1000000000; expected at most"),
        ({"vision_cfg": {"layers": 10**5}}, "vision_cfg.layers is 100000; expected at most 256"),
        ({"vision_cfg": None}, "open_clip_config.json: "),
        ({"multimodal_cfg": {}}, "unknown field 'multimodal_cfg'"),
    ],
)
def test_a_config_from_outside_chooses_neither_code_nor_memory(tmp_path, weights, change, message):
    config = copy.deepcopy(TINY)
    for name, value in change.items():
        config[name] = {**config.get(name, {}), **value} if value else value
    arch = _local_dir(tmp_path, weights)
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    with pytest.raises(UserError, match=message):
        load_openclip(arch)


def test_the_constants_of_a_tag_win_over_the_defaults(tiny):
    assert load_openclip(tiny, "laion").mean == (0.5, 0.5, 0.5)  # inception's, unlike its siblings
    assert load_openclip(tiny, "openai").mean == open_clip.OPENAI_DATASET_MEAN


def test_the_model_is_frozen_and_the_generator_untouched(tiny):
    before = torch.random.get_rng_state()
    clip = load_openclip(tiny, "openai")
    assert torch.equal(before, torch.random.get_rng_state())
    assert not clip.model.training
    assert not any(parameter.requires_grad for parameter in clip.model.parameters())


@pytest.mark.parametrize("size", [(32, 32), (40, 56), (20, 20)])
def test_preprocessing_equals_open_clips_own(tiny, size):
    clip = load_openclip(tiny, "laion")
    view = np.random.default_rng(0).integers(0, 256, (3, *size), dtype=np.uint8)
    official = image_transform_v2(
        PreprocessCfg(**open_clip.get_model_preprocess_cfg(clip.model)), is_train=False
    )
    expected = official(Image.fromarray(view.transpose(1, 2, 0)))
    torch.testing.assert_close(clip.preprocess(view), expected, rtol=0, atol=0)


def test_features_are_those_of_the_bare_model(tiny):
    clip = load_openclip(tiny, "openai")
    batch = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(clip.encode_image(batch), clip.model.encode_image(batch))
    prompts = [f"a photo of {number}" for number in range(300)]
    texts = clip.encode_text(prompts)
    assert texts.shape == (300, clip.embed_dim) == (300, 16)
    single = clip.model.encode_text(open_clip.tokenize(prompts[280:281]))
    torch.testing.assert_close(texts[280:281], single)


def _local_dir(folder: Path, weights: Path | None, **text: object) -> str:
    config = {**TINY, "text_cfg": {**TINY["text_cfg"], **text}}
    content = {"model_cfg": config, "preprocess_cfg": {"mean": [0.1, 0.2, 0.3]}}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    if weights:
        (folder / "open_clip_model.safetensors").write_bytes(weights.read_bytes())
    return f"local-dir:{folder}"


def test_a_local_directory_brings_weights_and_constants(tmp_path, weights):
    clip = load_openclip(_local_dir(tmp_path, weights))
    assert clip.mean == (0.1, 0.2, 0.3)
    assert clip.weights == tmp_path / "open_clip_model.safetensors"


def test_a_relative_bpe_path_is_of_the_local_directory(tmp_path):
    merges = "\n".join(["#version", "a b</w>", "c d</w>"])
    (tmp_path / "bpe.txt.gz").write_bytes(gzip.compress(merges.encode()))
    text = {**TINY["text_cfg"], "vocab_size": 516}  # 2 x 256 bytes, 2 merges, start and end
    weights = _tiny_weights(tmp_path / "w.safetensors", text_cfg=text)
    arch = _local_dir(
        tmp_path, weights, vocab_size=516, tokenizer_kwargs={"bpe_path": "bpe.txt.gz"}
    )
    clip = load_openclip(arch)
    assert clip.tokenizer(["ab cd"])[0, :4].tolist() == [514, 512, 513, 515]
    assert clip.encode_text(["ab cd"]).shape == (1, 16)


def test_a_tokenizer_that_outgrows_the_model_is_refused(tmp_path):
    text = {**TINY["text_cfg"], "vocab_size": 516}
    weights = _tiny_weights(tmp_path / "w.safetensors", text_cfg=text)
    with pytest.raises(UserError, match="tokenizer knows 49408 tokens, the model 516"):
        load_openclip(_local_dir(tmp_path, weights, vocab_size=516))


@pytest.mark.parametrize(
    ("arch", "weights", "message"),
    [
        ("ViT-B16", "openai", "unknown open_clip model 'ViT-B16'; did you mean 'ViT-B-16'"),
        ("ViT-B-16", "opnai", "did you mean 'openai'"),
        ("ViT-B-16", None, "ViT-B-16 needs weights: an open_clip tag"),
        ("ViT-B-16", "some/where.pt", "some/where.pt: expected a weights file, found nothing"),
        ("local-dir:nowhere", None, "nowhere/open_clip_config.json: no such file"),
        ("local-dir:nowhere", "openai", "brings its own"),
    ],
)
def test_what_is_missing_or_misspelt_is_one_line(arch, weights, message):
    with pytest.raises(UserError, match=message) as caught:
        load_openclip(arch, weights)
    assert "\n" not in str(caught.value)


def test_a_local_directory_without_weights_is_never_random(tmp_path):
    with pytest.raises(UserError, match="open_clip_model.safetensors: no such file"):
        load_openclip(_local_dir(tmp_path, None))


def test_weights_of_another_architecture_name_the_first_tensor(tiny, tmp_path):
    other = _tiny_weights(tmp_path / "other.safetensors", embed_dim=8)
    with pytest.raises(UserError, match=r"'text_projection' of shape \[32, 16\].*\[32, 8\]"):
        load_openclip(tiny, f"openai={other}")
    (tmp_path / "cut.safetensors").write_bytes(other.read_bytes()[:500])
    with pytest.raises(UserError, match="cut.safetensors: expected a complete weights file"):
        load_openclip(tiny, str(tmp_path / "cut.safetensors"))

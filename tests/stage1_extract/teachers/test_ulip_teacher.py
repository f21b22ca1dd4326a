"""The ULIP teacher at nano size: arch files, official nesting, strict loading, text, colour."""

import argparse
import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from stage1_extract.teachers import load_teacher
from stage1_extract.teachers.point_bert import PointBertArch, build_point_bert
from stage1_extract.teachers.slip_text import SlipTextArch, build_slip_text

SIZES = {"width": 32, "depth": 2, "heads": 2, "groups": 16, "group_size": 8, "dim": 24}
TEXT = {"width": 16, "layers": 1, "heads": 2, "vocab_size": 516, "bpe_path": "bpe.txt.gz"}


@dataclass
class Nano:
    """A nano ULIP on disk."""

    arch: Path
    weights: Path
    tensors: dict[str, torch.Tensor]

    def load(self, **sizes: object):
        self.arch.write_text(json.dumps({**SIZES, "text": TEXT, **sizes}))
        torch.save({"epoch": 1, "state_dict": self.tensors}, self.weights)
        return load_teacher("ulip", weights=str(self.weights), arch=str(self.arch))


@pytest.fixture
def nano(tmp_path: Path) -> Nano:
    merges = "\n".join(["#version", "a b</w>", "c d</w>"])
    (tmp_path / "bpe.txt.gz").write_bytes(gzip.compress(merges.encode()))
    tensors = dict(build_point_bert(PointBertArch(**SIZES)).state_dict())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tensors |= build_slip_text(SlipTextArch(**TEXT), 24).state_dict()
    tensors |= {"logit_scale": torch.tensor(2.6), "visual.norm.bias": torch.zeros(3)}
    tensors = {f"module.{name}": tensor for name, tensor in tensors.items()}
    return Nano(tmp_path / "arch.json", tmp_path / "nano.pt", tensors)


def _cloud(points: int = 100, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (points, channels)).astype(np.float32)


def test_trained_modules_load_back_through_the_official_layout(nano):
    teacher = nano.load()
    trained = build_point_bert(PointBertArch(**SIZES)).eval()
    batch = torch.stack([teacher.preprocess(_cloud())] * 2)
    assert torch.equal(teacher.encode(batch), trained(batch))
    assert (teacher.dim, teacher.modality, teacher.arch) == (24, "points", str(nano.arch))
    assert teacher.encode_text(["ab", "cd"]).shape == (2, 24)


def test_a_file_with_all_that_the_official_script_saves_is_taken_unchanged(nano):
    """ULIP's main.py: its arguments, and in the optimizer learning rates of numpy's schedule."""
    nano.load()
    group = {"lr": np.float64(1e-5), "betas": (0.9, 0.98), "params": [0]}
    content = {
        "epoch": "last", "state_dict": nano.tensors, "best_acc1": 60.3, "scaler": {},
        "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}, "param_groups": [group]},
        "args": argparse.Namespace(model="ULIP_PointBERT", betas=(0.9, 0.98), npoints=8192),
    }  # fmt: skip
    torch.save(content, nano.weights)
    teacher = load_teacher("ulip", weights=str(nano.weights), arch=str(nano.arch))
    batch = teacher.preprocess(_cloud())[None]
    assert torch.equal(teacher.encode(batch), nano.load().encode(batch))


def test_the_text_tower_pools_at_the_end_token_whatever_the_padding(nano):
    teacher = nano.load()
    alone, beside = teacher.encode_text(["ab"]), teacher.encode_text(["ab", "ab cd " * 20])
    torch.testing.assert_close(alone[0], beside[0])
    ids = teacher.tokenizer(["ab"])
    assert ids.shape == (1, 77)
    torch.testing.assert_close(alone, teacher.text_tower(ids))  # open_clip's own full-length way


def test_features_do_not_depend_on_the_batch_and_have_no_gradient(nano):
    teacher = nano.load()
    first, second = torch.from_numpy(_cloud()), torch.from_numpy(_cloud()).flip(0)
    both = teacher.encode(torch.stack([first, second]))
    torch.testing.assert_close(both[:1], teacher.encode(first[None]))
    assert not both.requires_grad
    assert both.dtype == torch.float32


def test_colour_is_dropped_or_made_up_as_the_arch_wants(nano):
    coloured = _cloud(channels=6)
    assert np.array_equal(nano.load().preprocess(coloured), coloured[:, :3])
    tensors = build_point_bert(PointBertArch(**SIZES, channels=6)).state_dict()
    nano.tensors |= {f"module.{name}": tensor for name, tensor in tensors.items()}
    teacher = nano.load(channels=6)
    assert torch.all(teacher.preprocess(_cloud())[:, 3:] == 0.4)
    plain = torch.from_numpy(_cloud())[None]
    assert torch.equal(teacher.encode(plain), teacher.encode(teacher.preprocess(_cloud())[None]))


def test_provenance_names_the_files_and_their_content(nano):
    first, second = nano.load().provenance, nano.load(text={**TEXT, "quick_gelu": False}).provenance
    assert first["weights"] == "nano.pt"
    assert len(first["weights_sha256"]) == 64
    assert first["arch_sha256"] != second["arch_sha256"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"width": 64, "heads": 4},
            r"'pc_projection' of shape \[128, 24\].*found shape \[64, 24\]",
        ),
        ({"depth": 3}, "'point_encoder.blocks.blocks.2.norm1.weight' of shape .* no such tensor"),
        ({"depth": 1}, "no tensor 'point_encoder.blocks.blocks.1.norm1.weight' expected"),
        ({"text": None}, "no tensor '(positional_embedding|text_projection)' expected"),
        ({"widht": 64}, "arch.json: .*widht.*; expected JSON with the fields of UlipArch"),
        ({"channels": 4}, "channels must be 3 or 6, found 4"),
    ],
)
def test_a_file_of_another_arch_names_the_first_difference(nano, change, message):
    with pytest.raises(UserError, match=message) as caught:
        nano.load(**change)
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_nested_officially_are_refused(nano):
    torch.save({"model": nano.tensors}, nano.weights)
    nano.arch.write_text(json.dumps({**SIZES, "text": TEXT}))
    with pytest.raises(UserError, match="expected the weights under 'state_dict', found model"):
        load_teacher("ulip", weights=str(nano.weights), arch=str(nano.arch))


def test_a_cloud_smaller_than_a_patch_is_refused(nano):
    with pytest.raises(UserError, match="needs clouds of 8 points or more, found 7"):
        nano.load().encode(torch.zeros(1, 7, 3))


def test_the_encoder_trains(nano):
    model = build_point_bert(PointBertArch(**SIZES))
    model(torch.from_numpy(np.stack([_cloud(), _cloud(90 + 10)]))).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())

"""The nano teachers that learn by rebuilding what is hidden from them."""

from pathlib import Path

import pytest
import torch
from torch import Generator

from demo import nano_mae, nano_recon
from demo.nano_clip import OUT as CLIP
from demo.nano_mae import MultiMaeArch
from demo.nano_recon import ReConArch, chamfer
from stage1_extract.teachers import load_teacher
from tests.demo.tiny_pack import write_tiny_pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its objects are all of one split; two of them go into the other."""
    folder = write_tiny_pack(tmp_path_factory.mktemp("tiny") / "pack")
    lines = (folder / "objects.jsonl").read_text().replace('"split": "test"', '"split": "train"')
    first, rest = lines.split("\n", 1)
    held_out = first.replace('"split": "train"', '"split": "test"')
    (folder / "objects.jsonl").write_text(f"{held_out}\n{rest}")
    return folder


def test_a_recon_is_loaded_by_its_adapter_and_answers_in_clips_space(pack, tmp_path):
    reached = nano_recon.make(pack, CLIP, tmp_path, epochs=1)
    assert reached["samples"] == 1
    files = {"weights": str(tmp_path / "checkpoint.pt"), "arch": str(tmp_path / "arch.json")}
    teacher = load_teacher("recon", **files)
    assert teacher.encode(torch.rand(2, 64, 3)).shape == (2, teacher.dim)
    assert teacher.encode_text(["a chair"]).shape == (1, teacher.dim)


def test_a_depth_mae_is_loaded_by_its_adapter(pack, tmp_path):
    reached = nano_mae.make(pack, tmp_path, epochs=1)
    assert reached["samples"] == 2
    files = {"weights": str(tmp_path / "checkpoint.pt"), "arch": str(tmp_path / "arch.json")}
    teacher = load_teacher("multimae", **files)
    assert teacher.encode(torch.rand(2, 1, 64, 64)).shape == (2, teacher.dim)


def test_identical_patches_are_at_no_distance_in_any_order():
    patches = torch.rand(2, 3, 8, 3, generator=Generator().manual_seed(0))
    assert chamfer(patches, patches.flip(2)) == 0
    assert chamfer(patches, patches + 1) > 0.1


def test_what_is_contrasted_leaves_the_rebuilding_alone():
    arch = ReConArch(width=16, depth=2, heads=2, groups=8, group_size=4, dim=8)
    training = nano_recon.Pretraining(arch)
    _, image, text = training(torch.rand(3, 32, 3), Generator().manual_seed(0))
    (image.sum() + text.sum()).backward()
    gradients = {n for n, p in training.named_parameters() if p.grad is not None}
    assert "model.MAE_encoder.img_token" in gradients
    assert not any("first_conv" in name or ".attn." in name for name in gradients)


def test_a_map_is_rebuilt_patch_by_patch_in_the_order_of_its_tokens():
    arch = MultiMaeArch(width=16, depth=1, heads=2, grid=2, patch_size=4, modalities=("depth",))
    depth = torch.arange(64.0).view(1, 1, 8, 8)
    pixels = nano_mae.Pretraining(arch)._pixels(depth)
    assert pixels[0, 1].tolist() == depth[0, 0, :4, 4:].flatten().tolist()

"""Nano ViT-Lens models on disk, in the official layouts."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from open_clip.model import CLIP
from torch import Tensor

from stage1_extract.teachers import load_teacher
from stage1_extract.teachers.vitlens import VitLensArch, VitLensTeacher
from stage1_extract.teachers.vitlens_lenses import LensTower, build_lens

PERCEIVER = {"latents": 9, "latent_heads": 2, "head_dim": 16}
LENSES: dict[str, dict[str, Any]] = {
    "depth": {"lens": {"modality": "depth", "patch_size": 56}},
    "audio": {
        "lens": {"modality": "audio", "patch_size": 64, "stride": 64},
        "perceiver": {"depth": 2, "self_per_cross": 2, **PERCEIVER},
    },
    "pc": {
        "lens": {
            "modality": "points", "groups": 16, "group_size": 8, "group_dim": 12, "width": 24,
        },
        "perceiver": {"depth": 4, **PERCEIVER},
    },
}  # fmt: skip
TEXT = {"width": 16, "layers": 1, "heads": 2, "vocab_size": 516, "bpe_path": "bpe.txt.gz"}
TRUNK = {"width": 32, "layers": 2, "heads": 2, "dim": 24}
VISION = {"image_size": 224, "patch_size": 56, "width": 32, "layers": 2, "head_width": 16}


@dataclass
class Nano:
    """A nano model with the tensors of its per-modality file, without `module.`."""

    folder: Path
    modality: str
    arch: dict[str, Any]
    tower: LensTower
    clip: CLIP
    tensors: dict[str, Tensor]

    def load(self, checkpoint: dict[str, Any] | None = None) -> VitLensTeacher:
        """Save arch and checkpoint, by default that of one modality, and load them."""
        (self.folder / "arch.json").write_text(json.dumps(self.arch))
        siblings = {"epoch": 1, "optimizer": {"state": {}}}
        torch.save(checkpoint or {"state_dict": self.tensors, **siblings}, self.folder / "nano.pt")
        weights, arch = str(self.folder / "nano.pt"), str(self.folder / "arch.json")
        return load_teacher("vitlens", weights=weights, arch=arch)

    def all_in_one(self) -> dict[str, Any]:
        """Return the same weights in the layout of `vitlensL.pt`."""
        tensors = {f"vitlens.text.{name}": self.tensors[name] for name in self._text_names()}
        tensors["vitlens.tactile.proj"] = torch.zeros(2, 2)
        for name, tensor in self.tensors.items():
            if name.startswith("visual."):
                tensors[f"vitlens.{self.modality}.{name.removeprefix('visual.')}"] = tensor
            if name.startswith("image."):
                tensors[f"vitlens.{name}"] = tensor
        return {"model_var": "vitlensL", "modality_loaded": ["pc"], "state_dict": tensors}

    def _text_names(self) -> list[str]:
        other = ("visual.", "image.", "logit_scale")
        return [name for name in self.tensors if not name.startswith(other)]


def make_nano(folder: Path, modality: str) -> Nano:
    """Make a nano model with random weights and its tokenizer's merges in `folder`."""
    merges = "\n".join(["#version", "a b</w>", "c d</w>"])
    (folder / "bpe.txt.gz").write_bytes(gzip.compress(merges.encode()))
    arch = {**LENSES[modality], **TRUNK, "text": TEXT}
    tower = build_lens(msgspec.convert(arch, VitLensArch), seed=1).eval()
    clip = _clip()
    tensors = {f"visual.{name}": tensor for name, tensor in tower.state_dict().items()}
    for name, tensor in clip.state_dict().items():
        tensors[name.replace("visual.", "image.")] = tensor
    return Nano(folder, modality, arch, tower, clip, tensors)


def _clip() -> CLIP:
    sizes = {name: TEXT[name] for name in ("width", "layers", "heads", "vocab_size")}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CLIP(TRUNK["dim"], VISION, {"context_length": 77, **sizes}).eval()

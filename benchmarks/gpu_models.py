"""Random weights in the official layouts, for `benchmarks.gpu_world`."""

import json
from pathlib import Path
from typing import Any

import msgspec
import open_clip
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor

from pipeline.openclip import DIR_CONFIG, DIR_WEIGHTS
from stage1_extract.teachers import ulip, vitlens
from stage1_extract.teachers.point_bert import build_point_bert
from stage1_extract.teachers.slip_text import SlipTextArch, build_slip_text
from stage1_extract.teachers.vitlens_lenses import build_lens

Model = dict[str, Any]
"""`arch` and `weights` of a teacher, as the params take them."""
CONSTANTS = {
    "mean": [0.4815, 0.4578, 0.4082], "std": [0.2686, 0.2613, 0.2758], "interpolation": "bicubic",
}  # fmt: skip


def make_clip(folder: Path, config: dict[str, Any] | None) -> Model:
    """A CLIP in a folder of open_clip's layout; of `config`, or a ViT-B/16."""
    folder.mkdir()
    config = config or open_clip.get_model_config("ViT-B-16")
    size = config["vision_cfg"].get("image_size", 224)
    described = {"model_cfg": config, "preprocess_cfg": {**CONSTANTS, "size": size}}
    (folder / DIR_CONFIG).write_text(json.dumps(described))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = CLIP(**{name: config[name] for name in ("embed_dim", "vision_cfg", "text_cfg")})
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / DIR_WEIGHTS)
    return {"arch": f"local-dir:{folder}"}


def make_ulip(root: Path, fields: dict[str, Any] | None) -> Model:
    """A ULIP-1, or one of other sizes."""
    arch = msgspec.convert(fields, ulip.UlipArch) if fields else ulip.ARCHS["ulip1-pointbert"]
    assert arch.text is not None
    tensors = build_point_bert(arch).state_dict() | _text(arch.text, arch.dim)
    return _saved(root / "ulip", "ulip1-pointbert", fields, tensors)


def make_vitlens(root: Path, modality: str, fields: dict[str, Any] | None) -> Model:
    """A ViT-Lens-L of one modality, or one of other sizes."""
    name = f"vitlens-l-{modality}"
    arch = msgspec.convert(fields, vitlens.VitLensArch) if fields else vitlens.ARCHS[name]
    tower = {f"visual.{key}": value for key, value in build_lens(arch).state_dict().items()}
    return _saved(root / name, name, fields, tower | _text(arch.text, arch.dim))


def _text(arch: SlipTextArch, dim: int) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tensors = build_slip_text(arch, dim).state_dict()
    return {name: tensor for name, tensor in tensors.items() if name != "attn_mask"}


def _saved(
    path: Path, name: str, fields: dict[str, Any] | None, tensors: dict[str, Tensor]
) -> Model:
    torch.save({"state_dict": tensors}, path.with_suffix(".pt"))
    if fields:
        path.with_suffix(".json").write_text(json.dumps(fields))
        name = str(path.with_suffix(".json"))
    return {"arch": name, "weights": str(path.with_suffix(".pt"))}

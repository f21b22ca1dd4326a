"""What the nano teachers take over from the frozen nano CLIP: anchors, and its text tower."""

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from demo.nano_clip import CONFIG, MERGES_FILE
from pipeline.openclip import OpenClip, load_openclip


def load_clip(folder: Path) -> OpenClip:
    """The nano CLIP in a folder, frozen."""
    return load_openclip(f"local-dir:{folder}")


def text_arch(clip: Path, out: Path) -> dict[str, Any]:
    """The text tower of the CLIP in a folder as the arch files of `ulip` and `vitlens` describe
    one; a copy of its merges is put beside them, into `out`."""
    shutil.copy(clip / MERGES_FILE, out)
    names = ("width", "layers", "heads", "context_length", "vocab_size")
    sizes = {name: CONFIG["text_cfg"][name] for name in names}
    return {**sizes, "quick_gelu": CONFIG["quick_gelu"], "bpe_path": MERGES_FILE}


def text_tensors(clip: OpenClip) -> dict[str, Tensor]:
    """Its text tower's tensors, under their names in the official checkpoints."""
    return {
        name: tensor
        for name, tensor in clip.model.state_dict().items()
        if not name.startswith(("visual.", "logit_scale"))
    }


@torch.no_grad()
def image_features(clip: OpenClip, images: Tensor) -> Tensor:
    """float32 [N, dim] of uint8 [N, 3, H, W]."""
    inputs = torch.stack([clip.preprocess(image.numpy()) for image in images])
    return torch.cat([clip.encode_image(part) for part in inputs.split(256)])


def halved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Floats as float16; the integers of a BatchNorm's count as they are."""
    return {n: t.half() if t.is_floating_point() else t for n, t in tensors.items()}

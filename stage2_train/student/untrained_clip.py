"""A CLIP of the right shape with nothing in it: enough to count a student's parameters."""

import logging
from pathlib import Path
from typing import NoReturn

import open_clip
import torch

from pipeline.openclip import LOCAL_DIR, OpenClip
from pipeline.unknown_name import unknown_name


def untrained_openclip(arch: str) -> OpenClip:
    """As `load_openclip`, but without weights and tokenizer, and without downloading any."""
    if not arch.startswith(LOCAL_DIR) and arch not in open_clip.list_models():
        raise unknown_name("open_clip model", arch, open_clip.list_models())
    logging.disable(logging.WARNING)  # open_clip's, that there are no weights
    with torch.random.fork_rng(devices=[]):
        model = open_clip.create_model(
            arch, pretrained=None, load_weights=False, pretrained_image=False, pretrained_text=False
        )
    logging.disable(logging.NOTSET)
    constants, config = open_clip.get_model_preprocess_cfg(model), open_clip.get_model_config(arch)
    size = constants["size"]
    return OpenClip(
        arch=arch,
        weights=Path(),
        config=config,
        model=model.eval().requires_grad_(False),
        tokenizer=_no_tokenizer,
        image_size=size if isinstance(size, int) else size[0],
        mean=tuple(constants["mean"]),
        std=tuple(constants["std"]),
        interpolation=constants["interpolation"],
        resize_mode=constants["resize_mode"],
        embed_dim=int(config["embed_dim"]),
    )


def _no_tokenizer(prompts: list[str]) -> NoReturn:
    raise NotImplementedError("an untrained CLIP cannot read")

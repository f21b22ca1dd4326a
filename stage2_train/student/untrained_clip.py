"""A CLIP of the right shape with nothing in it: enough to count a student's parameters."""

from pathlib import Path
from typing import NoReturn

import open_clip

from pipeline.openclip import LOCAL_DIR, OpenClip
from pipeline.openclip.untrained import untrained_model
from pipeline.unknown_name import unknown_name


def untrained_openclip(arch: str) -> OpenClip:
    """As `load_openclip`, but without weights and tokenizer, and without downloading any."""
    if not arch.startswith(LOCAL_DIR) and arch not in open_clip.list_models():
        raise unknown_name("open_clip model", arch, open_clip.list_models())
    model = untrained_model(arch)
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

"""An open_clip architecture without weights: what its tensors are called and how large they are."""

import logging

import open_clip
import torch
from torch import nn


def untrained_model(arch: str, device: str = "cpu") -> nn.Module:
    """The model as it begins; on the device `meta` it takes no memory. Nothing is downloaded, and
    the global generator stays as it was."""
    logging.disable(logging.WARNING)  # open_clip's, that there are no weights
    try:
        with torch.random.fork_rng(devices=[]), torch.device(device):
            return open_clip.create_model(
                arch, device=device, load_weights=False,
                pretrained_image=False, pretrained_text=False,
            )  # fmt: skip
    finally:
        logging.disable(logging.NOTSET)

"""Where models run."""

import torch


def default_device() -> str:
    """The current CUDA device where there is one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"

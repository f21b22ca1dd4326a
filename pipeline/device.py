"""Where models run."""

from functools import cache

import torch


@cache
def default_device() -> str:
    """The current CUDA device where there is one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"

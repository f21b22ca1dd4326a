"""Layers whose first weights come from an explicit generator, never from the global one."""

import torch
from torch import Generator, Tensor, nn


def linear(inputs: int, outputs: int, generator: Generator) -> nn.Linear:
    """An `nn.Linear` with He-uniform weights (gain 1, as LoRA and torch use) and zero bias."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def conv1d(inputs: int, outputs: int, kernel: int, stride: int, generator: Generator) -> nn.Conv1d:
    """An `nn.Conv1d` without padding, its first weights as those of `linear`."""
    layer = nn.utils.skip_init(nn.Conv1d, inputs, outputs, kernel, stride)
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def normal(*shape: int, std: float, generator: Generator) -> Tensor:
    """A float32 tensor of `shape` drawn from N(0, std^2)."""
    return torch.empty(*shape).normal_(std=std, generator=generator)

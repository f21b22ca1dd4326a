"""AdamW as the supplement's Table 1 has it, and its learning rate over the steps."""

import math

import torch

from pipeline.config.train import TrainConfig


def learning_rate(step: int, total: int, config: TrainConfig) -> float:
    """Linear warm-up to the peak over `warmup_steps`, then a cosine to 0 at step `total`."""
    if step < config.warmup_steps:
        return config.peak_lr * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, total - config.warmup_steps)
    return config.peak_lr * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def make_optimizer(
    parameters: dict[str, torch.nn.Parameter], config: TrainConfig
) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices only: not on norms, biases, the logit scale and class
    tokens, of which the last are not among Table 1's exceptions.

    On a GPU one fused kernel updates all parameters, unless the optimizer's `found_inf`, a tensor,
    is 1. The state is there from the start, so that a checkpoint has somewhere to be loaded to.
    """
    decayed = [p for p in parameters.values() if p.ndim >= 2]
    free = [p for p in parameters.values() if p.ndim < 2]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    on_gpu = all(parameter.is_cuda for parameter in parameters.values())
    optimizer = torch.optim.AdamW(
        groups, lr=config.peak_lr, betas=config.betas, fused=on_gpu or None
    )
    for parameter in parameters.values():
        optimizer.state[parameter] = {
            "step": torch.zeros((), device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer

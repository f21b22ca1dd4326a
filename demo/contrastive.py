"""The contrastive objective of the nano teachers, and the optimisation they share."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

BETAS = (0.9, 0.98)
WEIGHT_DECAY = 0.1
LOG_SCALE_MOST = math.log(100.0)


def positives(concepts: Sequence[str]) -> Tensor:
    """float32 [B,B], rows sum to 1: equal mass on all members of the batch of the same concept."""
    numbers = {concept: number for number, concept in enumerate(dict.fromkeys(concepts))}
    index = torch.tensor([numbers[concept] for concept in concepts])
    same = (index[:, None] == index[None, :]).float()
    return same / same.sum(dim=1, keepdim=True)


def symmetric_loss(first: Tensor, second: Tensor, log_scale: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy both ways, halved, between features [B,D] of any length (CLIP, ULIP)."""
    logits = log_scale.exp() * normalize(first, dim=-1) @ normalize(second, dim=-1).T
    forth = nn.functional.cross_entropy(logits, targets)
    back = nn.functional.cross_entropy(logits.T, targets)
    return (forth + back) / 2


def build_optimiser(parameters: Iterable[nn.Parameter], peak_lr: float) -> torch.optim.AdamW:
    """AdamW; matrices are decayed, vectors and scalars (norms, biases, the scale) are not."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=peak_lr, betas=BETAS)


def warmup_cosine(
    optimiser: torch.optim.Optimizer, steps: int, warmup: float = 0.05
) -> torch.optim.lr_scheduler.LambdaLR:
    """Linear warm-up over the first `warmup` of all steps, then a cosine to 0."""
    first = max(1, round(warmup * steps))

    def factor(step: int) -> float:
        if step < first:
            return (step + 1) / first
        return (1 + math.cos(math.pi * (step - first) / max(1, steps - first))) / 2

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)

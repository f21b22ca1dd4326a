"""Supervised fine-tuning of a trained student: `python -m eval.finetune`."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig:
    """What a fine-tuning has otherwise than stage 2; the rest is that of `train`."""

    epochs: int = 10
    """Passes over the training split; of adapters and full only."""
    batch_size: int = 128
    """Samples of a step, all ranks together; at most the split's."""
    peak_lr: float = 2e-4
    """Learning rate after a warm-up of a tenth of the steps, where adapters are trained."""
    full_peak_lr: float = 1e-5
    """The same where the whole encoder is, CLIP's weights among it (WiSE-FT, arXiv:2109.01903)."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, found {getattr(self, name)}")
        for name in ("peak_lr", "full_peak_lr"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be > 0, found {getattr(self, name)}")

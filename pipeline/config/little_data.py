"""Settings that cannot work on so little data, found before a training starts."""

from collections.abc import Mapping

from pipeline.config.train import TrainConfig


def unworkable(config: TrainConfig, samples: Mapping[str, int], steps: int) -> list[str]:
    """What to warn of, one line each with the way out.

    Args:
        config: of the training.
        samples: source -> samples of its training split.
        steps: of the whole training.
    """
    warnings = []
    if config.warmup_steps >= steps:
        warnings.append(
            f"train.warmup_steps is {config.warmup_steps}, the whole training has {steps} steps: "
            f"the learning rate never reaches its peak; set it to {max(steps // 10, 1)}, or raise "
            "train.epochs"
        )
    weights = sum(config.sources.values())
    for source, weight in config.sources.items():
        share, there = config.batch_size * weight / weights, samples[source]
        if share > there:
            warnings.append(
                f"train.batch_size is {config.batch_size}, {share:.0f} of it from {source}, which "
                f"has {there} samples: a step takes some twice; set it to at most "
                f"{int(there * weights / weight)}, or give {source} a smaller weight"
            )
    return warnings

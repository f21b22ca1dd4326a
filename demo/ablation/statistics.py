"""How sure a mean over objects is, and whether two students differ on the same objects."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap, permutation_test

RESAMPLES, CONFIDENCE, _SEED = 9999, 0.95, 0
METHOD = (
    "Intervals: 95 %, percentile bootstrap over objects (both depth maps of an object are drawn "
    "together). p: paired permutation test of the mean difference, two-sided: within an object the "
    "two students' scores are swapped at random. It needs no normality, and unlike McNemar's test "
    "takes the half scores of objects of which one map of two was right. Both of 9999 resamples; p "
    "is not corrected for the number of rows."
)


@dataclass(frozen=True)
class Estimate:
    """A mean with its bootstrap interval."""

    mean: float
    low: float
    high: float


def estimate(scores: np.ndarray) -> Estimate:
    """Of scores [objects]."""
    found = bootstrap(
        (scores,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE,
        method="percentile", rng=np.random.default_rng(_SEED),
    ).confidence_interval  # fmt: skip
    return Estimate(float(scores.mean()), float(found.low), float(found.high))


def paired_p(scores: np.ndarray, baseline: np.ndarray) -> float:
    """Chance of a mean difference so large if it did not matter which is which.

    Args:
        scores: [objects].
        baseline: [objects], of the same ones in the same order.
    """

    def difference(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
        return (first - second).mean(axis)

    return float(
        permutation_test(
            (scores, baseline), difference, permutation_type="samples", vectorized=True,
            n_resamples=RESAMPLES, rng=np.random.default_rng(_SEED), batch=1000,
        ).pvalue
    )  # fmt: skip

"""Intervals and paired tests over objects."""

import numpy as np

from demo.ablation.statistics import estimate, paired_p


def test_an_interval_is_as_wide_as_a_share_of_so_many_objects_has():
    found = estimate(np.repeat([0.0, 1.0], 200))
    assert found.mean == 0.5
    assert abs(found.low - 0.451) < 0.01  # 1.96 times the root of 0.25 / 400
    assert abs(found.high - 0.549) < 0.01
    assert found == estimate(np.repeat([0.0, 1.0], 200))


def test_the_same_answers_do_not_differ():
    scores = np.tile([0.0, 0.5, 1.0], 30)
    assert paired_p(scores, scores) == 1.0
    assert estimate(scores - scores).low == 0.0


def test_pairs_tell_what_two_means_would_not():
    baseline = np.tile([0.0, 1.0], 100)
    better = baseline.copy()
    better[:24:2] = 1.0  # twelve objects more, and none less
    assert paired_p(better, baseline) < 0.001
    assert estimate(better).low < baseline.mean()
    assert estimate(better - baseline).low > 0

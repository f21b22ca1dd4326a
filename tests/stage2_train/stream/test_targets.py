"""A view is digested once for each chain, however many teachers saw it; what a teacher repeats."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.config import ViewsConfig
from pipeline.store import Plane
from pipeline.views import ViewMaker, chain_for
from stage2_train.stream.targets import TeacherTargets, check_targets

OWN, PAIRED = (ViewMaker(chain_for("points", m), 3, ViewsConfig()) for m in ("points", "image"))
SEEN = np.array([[OWN.params_digest("a", 1), 77]], np.uint64)


@dataclass
class Target:
    """Keeps what it was asked to prove."""

    maker: ViewMaker
    asked: list[tuple[object, ...]] = field(default_factory=list)

    def check(self, cached: object, keys: object, *digests: np.ndarray) -> None:
        self.asked.append((keys, *(each if each is None else each.tolist() for each in digests)))


def checked(maker: ViewMaker = OWN) -> list[Target]:
    targets = [Target(OWN), Target(PAIRED), Target(PAIRED)]
    cached = SimpleNamespace(places=[(SimpleNamespace(view=1), 5)])
    check_targets(targets, [cached] * 3, ["a"], SEEN, maker)
    return targets


def test_each_teacher_is_checked_against_its_own_chain() -> None:
    own, paired, other = checked()
    assert own.asked == [(["a"], [SEEN[0, 0]], [SEEN[0, 1]])]
    assert paired.asked == other.asked == [(["a"], [PAIRED.params_digest("a", 1)], None)]


def test_the_students_own_view_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    draw = ViewMaker.params
    monkeypatch.setattr(ViewMaker, "params", lambda *a: drawn.append(a[0]) or draw(*a))
    checked()
    assert drawn == [PAIRED]


def test_content_is_checked_only_where_the_recipe_asks_for_it() -> None:
    unchecked = ViewMaker(OWN.chain, 3, ViewsConfig(check_content=False))
    assert checked(unchecked)[0].asked == [(["a"], [SEEN[0, 0]], None)]


@pytest.mark.parametrize(
    ("features", "expected"),
    [([[3, 0], [0, 0.5], [np.nan, np.nan], [0, 0]], [0.5, 0.5]), ([[np.nan, np.nan]], [0, 0])],
)
def test_the_mean_is_of_directions_and_leaves_out_what_failed(
    features: list[list[float]], expected: list[float]
) -> None:
    rows = np.array(features, np.float16)
    plane = Plane(0, 0, rows, np.zeros((len(rows), 2), np.uint64))
    store: Any = SimpleNamespace(read=lambda shard, view: {(0, 0): plane}[shard, view])
    found = TeacherTargets("t", {}, store, OWN).mean()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)

"""Views are the same in any process, thread, order and hash seed; digests tell any two apart."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import ViewsConfig
from pipeline.errors import UserError
from pipeline.views import EVALUATION, ViewMaker, ViewRng, chain_for
from pipeline.views.digest import content_digest, key_digest, params_digest
from pipeline.views.image import CentreParams, sample_crop, sample_image
from pipeline.views.points import WholeParams, sample_points
from tests.pipeline.view_digests import PAIRS, decoded, digests

REPEATABLE = settings(deadline=None, derandomize=True)
ROOT = Path(__file__).parents[2]
EXPECTED = digests(PAIRS)


def test_four_processes_make_the_views_of_one() -> None:
    """Under another hash seed and without AVX, each on a quarter of the work."""
    command = [sys.executable, "-m", "tests.pipeline.view_digests"]
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    plain = {"OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "default"}
    environment = {**os.environ, "PYTHONHASHSEED": seed, **plain}
    printed = subprocess.check_output(command, cwd=ROOT, env=environment)
    assert json.loads(printed) == EXPECTED


@settings(REPEATABLE, max_examples=10)
@given(st.permutations(PAIRS))
def test_the_order_in_which_views_are_made_does_not_matter(pairs: list) -> None:
    assert digests(pairs[:12]).items() <= EXPECTED.items()


def test_threads_make_the_same_views() -> None:
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(digests, [[pair] for pair in PAIRS])
    assert {name: value for part in found for name, value in part.items()} == EXPECTED


def test_views_of_a_sample_made_together_are_those_made_alone() -> None:
    for chain in (("image", "image"), ("points", "points")):
        maker = ViewMaker(chain_for(*chain), 5, ViewsConfig(image_size=32, points=64))
        sample = decoded(maker.chain.member, "sample-1")
        together = maker.views(sample, "sample-1", [1, 0])
        alone = [maker(sample, "sample-1", view) for view in (1, 0)]
        for one, other in zip(together, alone):
            assert np.array_equal(one.array, other.array)
            assert one.content_digest == other.content_digest


def test_every_view_is_another_one_and_evaluation_is_always_the_same() -> None:
    random = {name: found for name, found in EXPECTED.items() if not name.endswith("-1")}
    assert len({params for params, _ in random.values()}) == len(random)
    assert len({content for _, content in random.values()}) == len(random)


def test_a_view_of_another_seed_is_another_view() -> None:
    one, other = (
        ViewMaker(chain_for("image", "image"), seed, ViewsConfig(image_size=32)) for seed in (0, 1)
    )
    sample = decoded("image", "sample-0")
    assert one(sample, "a", 0).content_digest != other(sample, "a", 0).content_digest
    assert (
        one(sample, "a", EVALUATION).content_digest == other(sample, "a", EVALUATION).content_digest
    )


def test_a_cloud_and_its_paired_image_draw_apart() -> None:
    image, paired = (
        ViewMaker(chain_for(m, "image"), 0, ViewsConfig()) for m in ("image", "points")
    )
    one, other = image.params("a", 0).crop_boxes, paired.params("a", 0).crop_boxes
    assert not np.isclose(one, other).any()


SAMPLED = [
    sample_image(ViewRng(0, "a", 0)), sample_crop(ViewRng(0, "a", 0)),
    sample_points(ViewRng(0, "a", 0), 64),
]  # fmt: skip
FIELDS = [(params, field.name) for params in SAMPLED for field in fields(params)]


@pytest.mark.parametrize(("params", "name"), FIELDS, ids=lambda value: str(value)[:20])
def test_a_change_of_any_drawn_field_changes_the_params_digest(params: object, name: str) -> None:
    before = params_digest("a", 0, params)
    value = np.array(getattr(params, name))
    place = value.reshape(-1)[-1:]
    place[:] = ~place if value.dtype == bool else place + 1
    assert params_digest("a", 0, replace(params, **{name: value})) != before
    assert params_digest("a", 0, params) == before


def test_the_params_digest_knows_key_view_and_kind() -> None:
    found = [
        params_digest("a", 0, SAMPLED[1]), params_digest("b", 0, SAMPLED[1]),
        params_digest("a", 1, SAMPLED[1]), params_digest("a", 0, CentreParams()),
        params_digest("a", 0, WholeParams()), params_digest("a", -1, WholeParams()),
    ]  # fmt: skip
    assert len(set(found)) == len(found)
    assert all(0 <= digest < 2**64 for digest in found)


def test_the_last_bit_of_a_logarithm_does_not_change_the_params_digest() -> None:
    """Two machines may round np.exp differently; crop ratios come from it."""
    params = SAMPLED[1]
    nudged = replace(params, crop_boxes=np.nextafter(params.crop_boxes, 9))
    assert params_digest("a", 0, nudged) == params_digest("a", 0, params)


@REPEATABLE
@given(st.integers(0, 3 * 8 * 8 - 1), st.integers(0, 7))
def test_a_flipped_bit_of_any_pixel_changes_the_content_digest(place: int, bit: int) -> None:
    array = np.arange(192, dtype=np.uint8).reshape(3, 8, 8)
    changed = array.copy()
    changed.reshape(-1)[place] ^= 1 << bit
    assert content_digest(changed) != content_digest(array)


def test_the_content_digest_knows_dtype_and_shape() -> None:
    array = np.zeros((2, 6), dtype=np.float32)
    others = [array.reshape(6, 2), array.reshape(12), array.astype(np.int32), array[:, :5]]
    assert content_digest(array) not in [content_digest(other) for other in others]
    assert content_digest(array.T.copy().T) == content_digest(array)


def test_digests_are_pinned() -> None:
    """Stores on disk hold these; another value here makes every one of them void."""
    assert key_digest("chair-001") == 13637467756129556567
    assert content_digest(np.arange(6, dtype=np.uint8).reshape(2, 3)) == 8927809507772768981
    assert params_digest("chair-001", 3, SAMPLED[1]) == 15707808206677824537


def test_a_source_without_what_the_model_reads_is_refused() -> None:
    with pytest.raises(UserError, match="no chain feeds a points model from a image source"):
        chain_for("image", "points")

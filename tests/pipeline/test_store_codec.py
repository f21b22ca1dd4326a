"""What a store keeps of features, and what comes back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.store.codec import FLOAT16_MAX, decode, encode, without_unstorable
from pipeline.store.layout import FEATURES, SCALE

rows = arrays(np.float32, (3, 16), elements=st.floats(-60_000, 60_000, width=32))


def kept(features: np.ndarray, dtype: str) -> np.ndarray:
    arrays = encode(features, dtype)
    return decode(arrays[FEATURES], arrays.get(SCALE))


@given(rows)
def test_int8_is_within_half_a_step_of_the_rows_largest(features: np.ndarray) -> None:
    step = np.abs(features).max(-1, keepdims=True) / 127
    assert (np.abs(kept(features, "int8") - features) <= step * 0.501 + 1e-42).all()


@given(rows)
def test_float16_keeps_what_float16_can(features: np.ndarray) -> None:
    assert np.array_equal(kept(features, "float16"), features.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_a_failed_row_comes_back_as_nan_and_a_row_of_zeros_as_zeros(dtype: str) -> None:
    features = np.array([[np.nan, np.nan], [0, 0], [1, -2]], dtype=np.float32)
    found = kept(features, dtype)
    assert np.isnan(found[0]).all()
    assert np.array_equal(found[1], [0, 0])
    assert found[2] == pytest.approx([1, -2], rel=0.02)


def test_one_nan_of_a_row_fails_the_whole_row_of_int8() -> None:
    assert np.isnan(kept(np.array([[1, np.nan]], dtype=np.float32), "int8")).all()


def test_what_float16_cannot_hold_is_marked_before_it_is_kept() -> None:
    features = np.array([FLOAT16_MAX, FLOAT16_MAX * 1.01, np.inf, -np.inf, np.nan, 1])
    assert np.isnan(without_unstorable(features)).tolist() == [False, True, True, True, True, False]


def test_int8_keeps_the_direction_of_features_without_outliers() -> None:
    features = np.random.default_rng(0).standard_normal((1000, 512)).astype(np.float32)
    found = kept(features, "int8")
    norms = np.linalg.norm(features, axis=1) * np.linalg.norm(found, axis=1)
    assert ((features * found).sum(1) / norms).min() > 0.9999

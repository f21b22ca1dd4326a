"""The three causes of a wrong answer, each by its rule."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from eval.report.failures import CAUSES, Likeness, Words, cause, examples, failures
from eval.report.held_out import HeldOut, Item

NAMES = ["armchair", "chair", "lamp", "tuba", "bottle", "vase", "car"]


class Told(Likeness):
    """Pairs that are said to be alike, at 0.9; all others are at 0.1."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self._pairs = {frozenset(pair) for pair in pairs}

    def cosine(self, one: str, other: str) -> float:
        return 1.0 if one == other else 0.9 if self.alike(one, other) else 0.1

    def alike(self, one: str, other: str) -> bool:
        return frozenset({one, other}) in self._pairs


WORDS, LOOKS = Told(("armchair", "chair")), Told(("bottle", "vase"), ("armchair", "chair"))


@pytest.mark.parametrize(
    ("right", "wrong", "there", "expected"),
    [
        ("chair", "armchair", ["chair", "armchair", "lamp"], ("similar", 0.9)),
        ("chair", "armchair", ["armchair", "lamp"], ("similar", 0.9)),
        ("tuba", "lamp", ["lamp", "chair"], ("gap", 0.1)),
        ("bottle", "vase", ["bottle", "vase"], ("fine", 0.9)),
        ("bottle", "lamp", ["bottle", "lamp"], ("other", 0.1)),
        ("chair", "lamp", ["armchair", "lamp"], ("other", 0.1)),
    ],
)
def test_the_first_rule_that_holds_names_the_cause(right, wrong, there, expected) -> None:
    assert cause(right, wrong, there, WORDS, LOOKS) == expected


def at(*angles: float) -> torch.Tensor:
    """Features [angles, 2] on the unit circle."""
    turned = torch.tensor(angles)
    return torch.stack([turned.cos(), turned.sin()], dim=-1)


def test_alike_are_who_is_nearest_to_each_other_and_not_who_is_close() -> None:
    likeness = Likeness(list("abcdef"), at(0, 0.01, 0.02, 0.03, 1.5, 2.5))
    pairs = {one + other for one in "abcdef" for other in "abcdef" if likeness.alike(one, other)}
    assert {"ef", "fe", "bc", "ab"} <= pairs
    assert not {"ad", "da", "de", "ed", "aa"} & pairs
    assert not likeness.alike("a", "z")


def test_names_are_alike_by_a_shared_word_or_within_their_own_list() -> None:
    lists = [["clarinet", "bass guitar", "blown bottle"], ["cabinet", "cup", "bottle", "door"]]
    names = dict(zip(sum(lists, []), at(0, 1, 2, 0.01, 1.1, 0.02, 3)))
    words = Words(names, lists)
    assert not words.alike("clarinet", "cabinet")  # close, but never beside each other
    assert words.alike("blown bottle", "bottle")
    assert words.alike("cabinet", "bottle")
    assert not words.alike("bottle", "door")


def test_words_of_every_name_tell_nothing() -> None:
    names = {"sound of the sea": at(0)[0], "box of the post": at(2)[0]}
    assert not Words(names, []).alike(*names)


def made(labels: list[str], seed: int) -> HeldOut:
    """Items of two modalities in turns, with embeddings of a seed."""
    generator = torch.Generator().manual_seed(seed)
    items = [
        Item(("image", "audio")[row % 2], "made", str(row), label, "", {})
        for row, label in enumerate(labels)
    ]
    vectors = normalize(torch.randn(len(labels), 4, generator=generator), dim=-1)
    return HeldOut(items, vectors, {}, {})


def words_of(seed: int) -> Words:
    generator = torch.Generator().manual_seed(seed)
    features = normalize(torch.randn(len(NAMES), 5, generator=generator), dim=-1)
    return Words(dict(zip(NAMES, features)), [NAMES])


@given(st.lists(st.sampled_from([*NAMES, ""]), max_size=14), st.integers(0, 50))
def test_failures_are_all_the_wrong_nearest_items_and_no_others(labels, seed: int) -> None:
    shown = made(labels, seed)
    found = {failure.query: failure for failure in failures(shown, words_of(seed))}
    for row, item in enumerate(shown.items):
        others = [r for r, o in enumerate(shown.items) if o.modality != item.modality and o.label]
        if not item.label or not others:
            assert row not in found
            continue
        best = max(others, key=lambda other: float(shown.embeddings[row] @ shown.embeddings[other]))
        assert (row in found) == (shown.items[best].label != item.label)
        assert row not in found or found[row].near.row == best


@given(st.lists(st.sampled_from(NAMES), max_size=14), st.integers(0, 50), st.integers(1, 3))
def test_examples_are_the_clearest_one_for_each_pair(labels, seed: int, most: int) -> None:
    shown = made(labels, seed)
    found = failures(shown, words_of(seed))
    by_cause = examples(found, shown, most)
    assert list(by_cause) == list(CAUSES)
    for name, cases in by_cause.items():
        asked = [shown.items[c.query].label for c in cases]
        pairs = [
            frozenset({right, shown.items[c.near.row].label}) for right, c in zip(asked, cases)
        ]
        assert len(cases) == len(set(asked if name == "gap" else pairs)) <= most
        strengths = [case.strength for case in cases]
        assert strengths == pytest.approx(sorted(strengths, reverse=name != "gap"), abs=1e-5)
        assert bool(cases) == any(failure.cause == name for failure in found)


def test_the_page_counts_what_it_asked(contents) -> None:
    labelled = [item for item in contents.gallery.held_out.items if item.label]
    assert contents.failures.asked == len(labelled)
    assert sum(contents.failures.counts.values()) <= contents.failures.asked

"""Which items are shown, what can be asked, and what is near."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from eval.report.contents import Contents
from eval.report.held_out import CANDIDATES, chosen, class_name
from eval.report.neighbours import nearest
from pipeline.errors import UnreadableSample

LABELS = st.dictionaries(st.text(max_size=4), st.sampled_from(["a", "b", "c", ""]), max_size=40)


@given(LABELS, st.integers(1, 30))
def test_every_class_has_as_many_items_as_another_as_far_as_it_has(
    labels: dict[str, str], most: int
) -> None:
    keys = chosen(labels, most)
    assert len(keys) == len(set(keys)) == min(most, len(labels))
    counts, there = Counter(labels[key] for key in keys), Counter(labels.values())
    for name, count in there.items():
        assert counts[name] == count or counts[name] >= max(counts.values()) - 1


@given(LABELS, st.randoms())
def test_the_choice_does_not_depend_on_the_order_of_samples(labels, random) -> None:
    shuffled = list(labels.items())
    random.shuffle(shuffled)
    assert chosen(labels, 7) == chosen(dict(shuffled), 7)


@given(st.integers(1, 12), st.integers(1, 9), st.integers(0, 99))
def test_the_nearest_are_those_of_the_highest_cosines(items: int, top: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    vectors = normalize(torch.randn(items + 3, 4, generator=generator), dim=-1)
    rows = list(range(2, items + 2))
    for query, near in zip(vectors, nearest(vectors, vectors, rows, top)):
        cosines = {row: float(query @ vectors[row]) for row in rows}
        expected = sorted(cosines.values(), reverse=True)[:top]
        assert [each.cosine for each in near] == pytest.approx(expected, abs=1e-5)
        assert all(each.cosine == pytest.approx(cosines[each.row], abs=1e-5) for each in near)


def test_the_hash_of_the_keys_decides_and_not_their_order() -> None:
    keys = [f"thing-{number:02d}" for number in range(40)]
    assert set(chosen(dict.fromkeys(keys, "a"), 20)) not in (set(keys[:20]), set(keys[20:]))


def test_an_item_is_nearest_to_itself_and_equals_keep_their_order() -> None:
    vectors = torch.eye(3)[[0, 1, 1, 2]]
    near = nearest(vectors, vectors, [0, 1, 2, 3], top=2)
    assert [each[0].row for each in near] == [0, 1, 1, 3]
    assert [each.row for each in near[1]] == [1, 2]


def test_classes_of_several_sources_are_the_same_by_name() -> None:
    assert class_name("Night_Stand") == class_name(" night  stand")


def test_items_are_held_out_ones_with_their_labels(contents: Contents) -> None:
    gallery = contents.gallery
    assert gallery.held_out.modalities == ["image", "points"]
    for item in gallery.held_out.items:
        number = int(item.key.split("-")[1])
        assert number % 3 == 2
        assert item.label == ("" if number % 4 == 0 else ("ball", "stick")[number % 2])
    assert len(gallery.held_out.items) <= CANDIDATES


def test_class_names_and_captions_can_be_asked_for(contents: Contents) -> None:
    texts = contents.gallery.texts
    kinds = Counter(text.kind for text in texts.texts)
    assert [text.words for text in texts.texts[:2]] == ["ball", "stick"]
    assert kinds == {"class": 2, "caption": 8}
    assert texts.embeddings.norm(dim=-1).tolist() == pytest.approx([1] * 10, abs=1e-5)


def test_an_item_without_readable_media_is_left_out(cached_world, finished_run, monkeypatch):
    from eval.report import held_out
    from stage2_train.student import Student
    from tests.eval.report.made_run import run_params

    def broken(modality: str, decoded: object) -> dict:
        raise UnreadableSample("damaged")

    monkeypatch.setattr(held_out, "medium", broken)
    shown = held_out.held_out(run_params(cached_world), Student.load(finished_run))
    assert shown.items == []
    assert shown.modalities == []

"""Cross-modal retrieval that finds the wrong thing, sorted by the supplement's causes (section 4).

Every item asks every other modality for its nearest item; the answer is wrong where the names of
the two classes differ. The first rule that holds names the cause:

    gap         no class of the modality that was asked has the query's name, or one alike in words
    similar     the wrong class is alike in words to the right one
    fine        the right class is there, and the wrong one is alike to it in looks
    other       none of these

Two classes of one modality's list are alike where each is among the other's `MUTUAL` nearest in
that list: in words by the features of their names, in looks by their items' mean embeddings. How
high a cosine is says little where a small model puts everything close together; who is nearest
does. Names that share a word are alike in words too, whichever lists they are from.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from torch import Tensor
from torch.nn.functional import normalize

from eval.report.held_out import HeldOut
from eval.report.neighbours import Near, nearest

MUTUAL = 2
"""Nearest classes that each of two alike ones is among, of the other."""
CAUSES = ("similar", "gap", "fine", "other")
"""In the supplement's order."""


@dataclass(frozen=True)
class Failure:
    """A wrong answer."""

    query: int
    """Row of the item that asked."""
    near: Near
    """What it found."""
    cause: str
    """One of `CAUSES`."""
    strength: float
    """What the rule compared: a cosine of two classes; of `gap` that of the best there is."""


class Likeness:
    """Which pairs of a list of classes are alike.

    Args:
        names: of the classes.
        features: float32 [classes, dim], normalised.
    """

    def __init__(self, names: Sequence[str], features: Tensor) -> None:
        self._row = {name: row for row, name in enumerate(names)}
        self._cosines = features @ features.T
        others = self._cosines.clone().fill_diagonal_(-torch.inf)
        order = others.argsort(dim=-1, descending=True, stable=True)
        self._nearest = [set(row[:MUTUAL]) for row in order.tolist()]

    def cosine(self, one: str, other: str) -> float:
        """Of two classes' features."""
        return float(self._cosines[self._row[one], self._row[other]])

    def alike(self, one: str, other: str) -> bool:
        """Whether each is among the other's nearest; False of a class that is not listed."""
        rows = self._row.get(one), self._row.get(other)
        return None not in rows and all(
            row in self._nearest[of] for row, of in (rows, rows[::-1]) if of is not None
        )


class Words:
    """Which names are alike in words.

    Args:
        features: name -> float32 [dim], normalised.
        lists: names that are classes beside each other.
    """

    def __init__(self, features: Mapping[str, Tensor], lists: Iterable[Sequence[str]]) -> None:
        self._features = features
        self._lists = [
            Likeness(names, torch.stack([features[name] for name in names])) for names in lists
        ]

    def cosine(self, one: str, other: str) -> float:
        """Of two names' features."""
        return float(self._features[one] @ self._features[other])

    def alike(self, one: str, other: str) -> bool:
        """Whether they share a word, or are each other's nearest of a list."""
        shared = _words(one) & _words(other)
        return bool(shared) or any(names.alike(one, other) for names in self._lists)


def _words(name: str) -> set[str]:
    return set(re.findall(r"\w+", name)) - ENGLISH_STOP_WORDS


def looks(held_out: HeldOut, modality: str) -> Likeness:
    """Of the classes of a modality's items, by their mean embeddings."""
    rows: dict[str, list[int]] = {}
    for row in held_out.rows(modality):
        rows.setdefault(held_out.items[row].label, []).append(row)
    rows.pop("", None)
    means = [held_out.embeddings[each].mean(dim=0) for each in rows.values()]
    features = normalize(torch.stack(means), dim=-1) if means else held_out.embeddings[:0]
    return Likeness(list(rows), features)


def cause(
    right: str, wrong: str, there: Sequence[str], words: Words, in_looks: Likeness
) -> tuple[str, float]:
    """Why a query of class `right` found an item of class `wrong`, and the cosine that says so.

    Args:
        right: class of the query.
        wrong: another, of what was found.
        there: classes of the modality that was asked.
        words: of all classes.
        in_looks: of the classes that are there.
    """
    if right not in there and not any(words.alike(right, name) for name in there):
        return "gap", max(words.cosine(right, name) for name in there)
    if words.alike(right, wrong):
        return "similar", words.cosine(right, wrong)
    if right in there and in_looks.alike(right, wrong):
        return "fine", in_looks.cosine(right, wrong)
    return "other", words.cosine(right, wrong)


def failures(held_out: HeldOut, words: Words) -> list[Failure]:
    """All wrong answers; `words` knows all labels."""
    return [found for modality in held_out.modalities for found in _in(held_out, modality, words)]


def _in(held_out: HeldOut, modality: str, words: Words) -> Iterator[Failure]:
    """Those that a modality gave."""
    items = held_out.items
    rows = [row for row in held_out.rows(modality) if items[row].label]
    asking = [row for row, i in enumerate(items) if i.label and i.modality != modality]
    if not rows:
        return
    in_looks, there = looks(held_out, modality), sorted({items[row].label for row in rows})
    answers = nearest(held_out.embeddings[asking], held_out.embeddings, rows, top=1)
    for query, (near,) in zip(asking, answers):
        right, wrong = items[query].label, items[near.row].label
        if right != wrong:
            yield Failure(query, near, *cause(right, wrong, there, words, in_looks))


def examples(found: Sequence[Failure], held_out: HeldOut, most: int) -> Mapping[str, list[Failure]]:
    """Cause -> its clearest failures, one for each pair of classes; of `gap` the widest first, one
    for each class that asks."""
    shown: dict[str, list[Failure]] = {name: [] for name in CAUSES}
    seen = set[tuple[str, ...]]()
    for failure in sorted(found, key=lambda f: _order(f, held_out)):
        tells = (failure.cause, *_classes(failure, held_out))
        if tells not in seen and len(shown[failure.cause]) < most:
            seen.add(tells)
            shown[failure.cause].append(failure)
    return shown


def _classes(failure: Failure, held_out: HeldOut) -> list[str]:
    """What another failure would tell again."""
    rows = [failure.query] if failure.cause == "gap" else [failure.query, failure.near.row]
    return sorted(held_out.items[row].label for row in rows)


def _order(failure: Failure, held_out: HeldOut) -> tuple[float, str, str]:
    strength = failure.strength if failure.cause == "gap" else -failure.strength
    item = held_out.items[failure.query]
    return round(strength, 6), item.modality, item.key

"""Cross-modal retrieval that finds the wrong thing, sorted by the supplement's causes (section 4).

Every item asks every other modality for its nearest item; the answer is wrong where the names of
the two classes differ. Two classes are alike in words, or in looks, where their cosine is among the
highest tenth of all pairs of classes: of their names' text features, or of their items' mean
embeddings in the modality that was asked. The first rule that holds names the cause:

    gap         no class of the modality that was asked has the query's name, or one alike in words
    similar     the wrong class is alike in words to the right one
    fine        the right class is there, and the wrong one is alike to it in looks
    other       none of these
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from eval.report.held_out import HeldOut
from eval.report.neighbours import Near, nearest

ALIKE = 0.9
"""Quantile of the pairs' cosines from which on two classes are alike."""
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
    """Which pairs of classes are alike.

    Args:
        names: of the classes.
        features: float32 [classes, dim], normalised.
    """

    def __init__(self, names: Sequence[str], features: Tensor) -> None:
        self._row = {name: row for row, name in enumerate(names)}
        self._cosines = features @ features.T
        pairs = list(combinations(range(len(names)), 2))
        of_pairs = torch.tensor([float(self._cosines[one, other]) for one, other in pairs])
        self.threshold = float(of_pairs.quantile(ALIKE)) if pairs else 1.0

    def cosine(self, one: str, other: str) -> float:
        """Of two classes' features."""
        return float(self._cosines[self._row[one], self._row[other]])

    def alike(self, one: str, other: str) -> bool:
        """Whether it is as high as `threshold`."""
        return self.cosine(one, other) >= self.threshold


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
    right: str, wrong: str, there: Sequence[str], words: Likeness, in_looks: Likeness
) -> tuple[str, float]:
    """Why a query of class `right` found an item of class `wrong`, and the cosine that says so.

    Args:
        right: class of the query.
        wrong: another, of what was found.
        there: classes of the modality that was asked.
        words: of all classes.
        in_looks: of the classes that are there.
    """
    best = max(words.cosine(right, name) for name in there)
    if right not in there and best < words.threshold:
        return "gap", best
    if words.alike(right, wrong):
        return "similar", words.cosine(right, wrong)
    if right in there and in_looks.alike(right, wrong):
        return "fine", in_looks.cosine(right, wrong)
    return "other", words.cosine(right, wrong)


def failures(held_out: HeldOut, words: Likeness) -> list[Failure]:
    """All wrong answers; `words` is the likeness of all labels' names."""
    return [found for modality in held_out.modalities for found in _in(held_out, modality, words)]


def _in(held_out: HeldOut, modality: str, words: Likeness) -> Iterator[Failure]:
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

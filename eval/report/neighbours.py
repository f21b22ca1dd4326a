"""What can be asked of the gallery, and the items that the student puts nearest to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from eval.report.held_out import HeldOut, class_name
from pipeline.config import Params
from pipeline.locations import path_or_url
from pipeline.prompts import class_embeddings, templates, text_embeddings
from pipeline.shards import read_index
from stage2_train.student import Student

NEAREST = 5
"""Items of each modality that are shown."""
CAPTIONS = 200
"""Captions of the items that can be asked for."""


class Near(NamedTuple):
    """An item near to a query."""

    row: int
    """Its place among the items."""
    cosine: float


@dataclass(frozen=True)
class Text:
    """A query in words."""

    words: str
    label: str
    """Name of the class that it asks for; of a caption its item's, empty where it has none."""
    kind: str
    """`class` or `caption`."""


@dataclass(frozen=True)
class Texts:
    """Queries in words beside their embeddings."""

    texts: list[Text]
    embeddings: Tensor
    """Float32 [texts, dim], normalised, on the CPU."""


def texts_of(params: Params, student: Student, held_out: HeldOut) -> Texts:
    """Class names by their source's prompts, as benchmarks score them, and the items' captions.

    A name that several sources have is that of the first.
    """
    texts, embeddings = list[Text](), list[Tensor]()
    known = set[str]()
    for source, names in _classes(params, held_out):
        new = [name for name in names if class_name(name) not in known]
        if new:
            known |= set(map(class_name, new))
            prompts = templates(params.sources[source].prompts)
            texts += [Text(name, class_name(name), "class") for name in new]
            embeddings.append(class_embeddings(student.encode_text, new, prompts).cpu())
    labels = {item.caption: item.label for item in held_out.items if item.caption}
    captions = [each for each in labels if class_name(each) not in known][:CAPTIONS]
    if captions:
        texts += [Text(caption, labels[caption], "caption") for caption in captions]
        embeddings.append(text_embeddings(student.encode_text, captions).cpu())
    return Texts(texts, torch.cat([held_out.embeddings[:0], *embeddings]))


def _classes(params: Params, held_out: HeldOut) -> list[tuple[str, list[str]]]:
    """(source of items, names of classes) of every held-out split."""
    shown = {item.source for item in held_out.items}
    used = ((b.source, b.split) for b in params.benchmarks.values() if b.source in shown)
    shards = path_or_url(params.shards)
    return [(pair[0], read_index(shards.joinpath(*pair)).words) for pair in dict.fromkeys(used)]


def nearest(
    queries: Tensor, items: Tensor, rows: Sequence[int], top: int = NEAREST
) -> list[list[Near]]:
    """The items nearest to each query, the nearest first; among equals the first.

    Args:
        queries: float32 [queries, dim], normalised.
        items: float32 [items, dim], normalised.
        rows: which of the items to look among.
        top: how many to name.
    """
    cosines = queries @ items[list(rows)].T
    order = cosines.argsort(dim=-1, descending=True, stable=True)[:, :top]
    return [
        [Near(rows[place], float(cosine[place])) for place in places]
        for cosine, places in zip(cosines, order.tolist())
    ]


def neighbours(held_out: HeldOut, texts: Texts) -> list[dict[str, list[Near]]]:
    """Of every item, then of every text: the nearest of each modality but an item's own."""
    queries = torch.cat([held_out.embeddings, texts.embeddings])
    found: list[dict[str, list[Near]]] = [{} for _ in queries]
    own = [item.modality for item in held_out.items] + [""] * len(texts.texts)
    for modality in held_out.modalities:
        lists = nearest(queries, held_out.embeddings, held_out.rows(modality))
        for query, near in enumerate(lists):
            if own[query] != modality:
                found[query][modality] = near
    return found

"""Two modalities of the same samples through a student, and which features belong together.

A medium belongs to another where the keys of their samples are equal, to a text where the text is
the sample's caption, or in a source without captions its label.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from eval.encode import EncodedSplit, check_finite, encode_split, evaluation_views
from eval.models import student_model
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.prompts import class_embeddings, templates, text_embeddings
from stage2_train.student import Student

TEXT = "text"


@dataclass(frozen=True)
class Paired:
    """One modality's side."""

    features: Tensor
    """Float32 [items, embed_dim] on the CPU."""
    ids: Tensor
    """Int64 [items]: it belongs to what has the same on the other side."""


@dataclass(frozen=True)
class Place:
    """Where the samples of a side are."""

    source: str
    """Name in `sources`."""
    split: str
    windows: int = 1
    """Of its sounds."""


def encode_pairs(
    params: Params, student: Student, sides: dict[str, Place]
) -> tuple[dict[str, Paired], dict[str, int]]:
    """The two modalities of `sides`, and how many samples count and do not.

    Raises:
        UserError: the student or the source lacks a modality, no two samples belong together, or a
            feature is not finite.
    """
    media = {
        name: _encoded(params, student, name, at) for name, at in sides.items() if name != TEXT
    }
    left_out = sum(len(data.unreadable) for data in media.values())
    paired = _by_key(media) if len(media) == 2 else _with_texts(params, student, media)
    counts = {f"{name}_items": len(side.ids) for name, side in paired.items()}
    return paired, {**counts, "unreadable": left_out}


def _encoded(params: Params, student: Student, modality: str, at: Place) -> EncodedSplit:
    if modality not in student.config.modalities:
        known = ", ".join(student.config.modalities)
        raise UserError(f"{modality}: this student encodes text and {known}; name two of these")
    maker = evaluation_views(params, at.source, modality)
    if maker.chain.member != modality:
        raise UserError(
            f"sources.{at.source}: its samples have {maker.chain.member}, and no {modality} of "
            "their own"
        )
    model, windows = student_model(student, maker), at.windows if modality == "audio" else 1
    data = encode_split(
        params, at.source, at.split, [model], by=None, windows=windows, modality=modality
    )
    check_finite(data.features[0], f"{at.source}/{at.split}: {model.name}")
    return data


def _by_key(media: dict[str, EncodedSplit]) -> dict[str, Paired]:
    first, second = media.values()
    others = set(second.keys)
    common = {key: number for number, key in enumerate(first.keys) if key in others}
    if not common:
        raise UserError(
            f"{first.folder} and {second.folder}: no sample has the same key in both; pairs are "
            "samples of one source, or of two that were made of the same files"
        )
    return {name: _kept(data, common) for name, data in media.items()}


def _kept(data: EncodedSplit, ids: dict[str, int]) -> Paired:
    rows = [row for row, key in enumerate(data.keys) if key in ids]
    return Paired(data.features[0][rows], torch.tensor([ids[data.keys[row]] for row in rows]))


def _with_texts(
    params: Params, student: Student, media: dict[str, EncodedSplit]
) -> dict[str, Paired]:
    ((name, data),) = media.items()
    if any(text.captions for text in data.texts):
        return _with_captions(student, name, data)
    prompts = templates(params.sources[data.index.dataset].prompts)
    return _with_labels(student, name, data, prompts)


def _with_captions(student: Student, name: str, data: EncodedSplit) -> dict[str, Paired]:
    rows = [row for row, text in enumerate(data.texts) if text.captions]
    captions = [(row, caption) for row in rows for caption in data.texts[row].captions]
    texts = text_embeddings(student.encode_text, [caption for _, caption in captions]).cpu()
    return {
        name: Paired(data.features[0][rows], torch.tensor(rows)),
        TEXT: Paired(texts, torch.tensor([row for row, _ in captions])),
    }


def _with_labels(
    student: Student, name: str, data: EncodedSplit, prompts: tuple[str, ...]
) -> dict[str, Paired]:
    rows = [row for row, text in enumerate(data.texts) if text.labels]
    if not rows:
        raise UserError(f"{data.folder}: no sample has a caption or a label, so none has a text")
    if any(len(data.texts[row].labels) > 1 for row in rows):
        raise UserError(
            f"{data.folder}: samples have several labels each, and no captions; score them as a "
            "benchmark, by python -m eval.zeroshot"
        )
    texts = class_embeddings(student.encode_text, data.index.words, prompts).cpu()
    labels = torch.tensor([data.texts[row].labels[0] for row in rows])
    return {
        name: Paired(data.features[0][rows], labels),
        TEXT: Paired(texts, torch.arange(len(texts))),
    }

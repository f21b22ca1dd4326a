"""Label and caption features of every training source, made once by the frozen text tower."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.commands import prepare_command
from pipeline.config.templates import Prompts
from pipeline.errors import UserError
from pipeline.prompts import class_embeddings, templates, text_embeddings
from pipeline.samples import SampleText
from pipeline.shards import INDEX, ShardIndex
from pipeline.views import ViewRng
from stage2_train.student import Student


@dataclass(frozen=True)
class TextTable:
    """All label texts of a run."""

    features: Tensor
    """Float32 [texts, embed_dim], normalised."""
    first_class: dict[str, int]
    """Source -> row of its first class."""
    class_counts: dict[str, int]
    """Source -> its classes."""
    caption_rows: dict[str, int]
    """Caption -> row."""

    def classes(self, source: str) -> Tensor:
        """Float32 [classes, embed_dim] of a source, normalised."""
        first = self.first_class[source]
        return self.features[first : first + self.class_counts[source]]

    def rows(self, source: str, text: SampleText) -> tuple[int, ...]:
        """Rows of a sample's labels, or of its captions where it has no label.

        Raises:
            UserError: a label that is none of the source's classes, or a caption that its index
                does not tell of.
        """
        if not text.labels:
            return tuple([self._caption_row(source, caption) for caption in text.captions])
        first, count = self.first_class[source], self.class_counts[source]
        if max(text.labels) >= count:
            raise UserError(
                f"source '{source}': expected a class for every label, found {count} classes in "
                f"{INDEX} and the label {max(text.labels)}; run: {prepare_command(source)}"
            )
        return tuple([first + label for label in text.labels])

    def _caption_row(self, source: str, caption: str) -> int:
        if caption not in self.caption_rows:
            raise UserError(
                f"source '{source}': expected every caption in {INDEX}, found a sample with "
                f"'{caption[:80]}', which is not there; run: {prepare_command(source)}"
            )
        return self.caption_rows[caption]

    def draw(self, source: str, text: SampleText, seed: int, key: str, view: int) -> int:
        """One of a sample's rows, drawn for its view where there are several.

        Raises:
            UserError: see `rows`.
        """
        rows = self.rows(source, text)
        if len(rows) == 1:
            return rows[0]
        return rows[ViewRng(seed, key, view, "text").integer(len(rows))]


def build_text_table(
    student: Student, indexes: dict[str, ShardIndex], prompts: Mapping[str, Prompts]
) -> TextTable:
    """Encode each source's classes under its prompts, and every caption as it is.

    A class that several sources share under the same prompts gets equal rows, so equal meaning.
    """
    parts: list[Tensor] = []
    first_class: dict[str, int] = {}
    rows = 0
    for source, index in indexes.items():
        first_class[source] = rows
        if index.classes:
            parts.append(
                class_embeddings(student.encode_text, index.words, templates(prompts[source]))
            )
            rows += len(index.classes)
    captions = sorted({caption for index in indexes.values() for caption in index.captions})
    if captions:
        parts.append(text_embeddings(student.encode_text, captions))
    caption_rows = {caption: rows + number for number, caption in enumerate(captions)}
    class_counts = {source: len(index.classes) for source, index in indexes.items()}
    return TextTable(torch.cat(parts), first_class, class_counts, caption_rows)

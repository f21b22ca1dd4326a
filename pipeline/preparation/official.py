"""A listed split beside the official one: how many samples it should have."""

from pipeline.config import SourceConfig
from pipeline.datasets import RawDataset
from pipeline.errors import UserError


def lacking(split: str, source: SourceConfig, dataset: RawDataset) -> int | None:
    """Samples that a split should have, by the source or else by the converter; None where it has
    them, or nobody knows."""
    expected = source.expected(split) or dataset.expected
    return None if expected == len(dataset.items) else expected


def remarks(name: str, split: str, source: SourceConfig, dataset: RawDataset) -> tuple[str, ...]:
    """What to say of a listed split before it is converted, one line each.

    Raises:
        UserError: it has another number of samples than a benchmark's fixed list.
    """
    notes = tuple(f"{name}/{split}: {note}" for note in dataset.notes)
    expected, found = lacking(split, source, dataset), len(dataset.items)
    if expected is None:
        return notes
    count = f"{name}/{split}: {found:,} of {expected:,} samples of the official split are there"
    if dataset.exact:
        why = "".join(f"; {note}" for note in dataset.notes)
        raise UserError(
            f"{count}{why}; scores over another list compare with nobody's: complete the download, "
            f"or set sources.{name}.samples to {{{split}: {found}}} to go on with what is there"
        )
    return (*notes, count)

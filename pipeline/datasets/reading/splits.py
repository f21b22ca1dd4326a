"""Splits of data that nobody split: by folders, or drawn by the hash of each key."""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from pipeline.errors import UserError

NAMES = ("train", "val", "valid", "validation", "test")
"""What folders and files that are splits are called."""
HELD_OUT = 0.1
"""Share of the samples that a split other than `train` gets, unless its source says otherwise."""


def split_folders(raw: Path) -> list[str]:
    """Which of `NAMES` are folders in the raw data."""
    return [name for name in NAMES if (raw / name).is_dir()]


def require_split(raw: Path, split: str, there: Sequence[str]) -> None:
    """Check that a split is one of those that the data name.

    Raises:
        UserError: it is not.
    """
    if split not in there:
        raise UserError(
            f"{raw}: no split '{split}', only {', '.join(there)}; mend `splits` of the source"
        )


def drawn_split(key: str, splits: Sequence[str], held_out: float) -> str:
    """The split of a sample, of those that its source lists: each but `train` gets `held_out` of
    them, `train` the others, by the key alone.

    Raises:
        UserError: nothing would be left.
    """
    others = [split for split in splits if split != "train"]
    if len(others) == len(splits) == 1:
        return others[0]
    if not 0 < held_out * len(others) < 1 and others:
        raise UserError(
            f"settings.held_out is {held_out:g} for each of {', '.join(others)}; expected a share "
            "that leaves samples for all splits"
        )
    unit = int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) / 2**64
    place = int(unit / held_out) if others else 0
    return others[place] if place < len(others) else "train"

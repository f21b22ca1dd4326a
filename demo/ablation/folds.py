"""Folds of the pack: every object with a class is held out in one of them, with its variants."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from pipeline.atomic import write_atomically
from pipeline.datasets.reading.pack import read_lines
from pipeline.errors import UserError

OBJECTS = "objects.jsonl"
_SEED = 0


def held_out(pack: Path, folds: int) -> list[set[str]]:
    """For each fold the ids that its training must not see.

    Objects with a class are dealt out by class, whole groups of variants of one mesh at a time. A
    variant without a class is held out with the others, but never scored; every other object
    without a class is trained on in all folds.

    Raises:
        UserError: the pack is damaged, or has too few objects of some class.
    """
    records = read_lines(pack, "objects", ("id", "class", "split"))
    labelled = [record for record in records if record["class"]]
    group_of = {id_: group[0] for group in _variants(pack) for id_ in group}
    groups = [group_of.get(record["id"], record["id"]) for record in labelled]
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=_SEED)
    labels = np.array([record["class"] for record in labelled])
    try:
        dealt = list(dealer.split(labels, labels, groups))
    except ValueError as error:
        raise UserError(f"{pack / OBJECTS}: no {folds} folds can be made of it ({error})") from None
    chosen = [{groups[row] for row in rows} for _, rows in dealt]
    ids = [record["id"] for record in records]
    return [{id_ for id_ in ids if group_of.get(id_, id_) in some} for some in chosen]


def write_fold(pack: Path, folder: Path, test: Iterable[str]) -> None:
    """A pack of links to another one's files, with a split of its own: `test` is held out."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in pack.iterdir():
        link = folder / file.name
        if file.name != OBJECTS and file.is_file() and not link.is_symlink():
            link.symlink_to(file.resolve())
    held = set(test)
    lines = [json.loads(line) for line in (pack / OBJECTS).read_text().splitlines()]
    split = [{**line, "split": "test" if line["id"] in held else "train"} for line in lines]
    content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in split).encode()
    target = folder / OBJECTS
    if not target.exists() or target.read_bytes() != content:
        write_atomically(target, content)


def _variants(pack: Path) -> list[list[str]]:
    """Groups of ids that are variants of one mesh."""
    path = pack / "build.json"
    try:
        return json.loads(path.read_text())["variants_kept_together"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(
            f"{path}: expected variants_kept_together, found none ({error}); restore it: "
            "git checkout demo/pack"
        ) from None

"""ESC-50: 2,000 environmental sounds of 5 seconds in 50 classes and 5 folds.

    meta/esc50.csv      filename, fold, target, category, ...
    audio/*.wav         44.1 kHz, one channel
or  esc50.csv, audio/audio/*.wav, audio/audio/{44100,16000}/*.wav

From github.com/karolpiczak/ESC-50, or as Kaggle gives it out (mmoreaux), whose copies at 16 kHz are
not read. All of it is the split `test`: zero-shot scores are the mean
over the folds, and each sample's `fold` (1 to 5) stands in its meta.json.
"""

from functools import partial
from pathlib import Path

from pipeline.datasets import RawDataset, RawItem, key_of, known_split, noted
from pipeline.datasets.reading.folders import folder_with, list_files
from pipeline.datasets.reading.labels import described
from pipeline.datasets.reading.media import sound
from pipeline.datasets.reading.tables import read_table
from pipeline.errors import UserError

LICENCE = "CC BY-NC 3.0 (ESC-50; ESC-10 in it CC BY 3.0)"
HOME = "github.com/karolpiczak/ESC-50"
SIZE = "about 0.6 GB"
SAMPLES = 2000
CLASSES = 50
FOLDS = 5
"""All three: the repository's README."""
TABLES = ("meta/esc50.csv", "esc50.csv")
RESAMPLED = "16000"
"""Kaggle's folder of copies."""
_COLUMNS = ("filename", "fold", "target", "category")


def read(raw: Path, split: str) -> RawDataset:
    """List the one split, `test`; prompts have spaces where the categories have underscores."""
    known_split(split, "test")
    raw, table = _found(raw)
    rows = list(read_table(table, _COLUMNS))
    classes = _classes(table, {(target, category) for _, _, target, category in rows})
    _check_folds(table, {fold for _, fold, _, _ in rows})
    files = list_files(raw / "audio", (".wav",)).files
    there = {path.name.lower(): path for path in files if path.parent.name != RESAMPLED}

    def members(name: str, fold: str, label: str) -> dict[str, bytes]:
        return {**sound(there[name.lower()]), **described(name, [int(label)], fold=int(fold))}

    items = [
        RawItem(key_of(Path(name).stem), partial(members, name, fold, target))
        for name, fold, target, _ in rows
        if name.lower() in there
    ]
    lacking = [row[0] for row in rows if row[0].lower() not in there]
    words = [name.replace("_", " ") for name in classes]
    notes = noted(f"files of {table} are not there", lacking)
    return RawDataset(items, classes, ("audio",), LICENCE, SAMPLES, True, words, notes)


def _found(raw: Path) -> tuple[Path, Path]:
    """The folder of audio/, and the table below it or in it; the official ones where neither is."""
    for name in TABLES:
        folder = folder_with(raw, name)
        if (folder / name).is_file() and (folder / "audio").is_dir():
            return folder, folder / name
    folder = folder_with(raw, TABLES[0])
    return folder, folder / TABLES[0]


def _classes(table: Path, targets: set[tuple[str, str]]) -> list[str]:
    """Categories in the order of their targets."""
    numbered = sorted((int(target), category) for target, category in targets if target.isdigit())
    if [number for number, _ in numbered] != list(range(CLASSES)):
        raise UserError(
            f"{table}: expected one category for each target 0..{CLASSES - 1}, found "
            f"{len(targets)} pairs of them; put the dataset's own file there"
        )
    return [category for _, category in numbered]


def _check_folds(table: Path, folds: set[str]) -> None:
    if not folds <= {str(fold) for fold in range(1, FOLDS + 1)}:
        raise UserError(
            f"{table}: expected folds 1 to {FOLDS}, found {', '.join(sorted(folds))}; put the "
            "dataset's own file there"
        )

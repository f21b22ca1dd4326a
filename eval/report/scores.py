"""What evaluation wrote: scores beside chance and others' figures, per class, and confusions."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from eval.report.media import picture_uri
from eval.scoreboard import METRICS, STUDENTS, Metrics
from pipeline.commands import zeroshot_command
from pipeline.errors import UserError
from pipeline.small_files import read_json, read_small
from pipeline.timing import read_timing, score_timing
from pipeline.weights import file_sha256
from stage2_train.student.portable import TENSORS

WHO = ("teacher", "student", "published_teacher", "published_student")
"""Whose score it is: how its name in metrics.json begins."""
PICTURE = 1000
"""Pixels of a confusion matrix's longer side."""
CONFUSED = 12
"""Pairs of classes that are named."""
LARGEST_CSV = 1 << 26
"""Bytes of a table: a million predictions."""


@dataclass(frozen=True)
class Row:
    """One score of a benchmark; fractions of 1, None where it is not known."""

    benchmark: str
    metric: str
    samples: float | None
    classes: float | None
    chance: float | None
    """Of a benchmark's own metric, its first."""
    majority: float | None
    scores: dict[str, float]
    """By who."""
    seconds: float | None
    """That the benchmark's scoring took; None where nothing recorded them."""


@dataclass(frozen=True)
class ClassScore:
    """Of one class, by model; None where it has no sample."""

    name: str
    samples: str
    scores: dict[str, float | None]


@dataclass(frozen=True)
class Confusion:
    """What was taken for what."""

    actual: str
    predicted: str
    count: int
    of: int
    """Samples of the actual class."""


def metrics(ckpt: Path) -> dict[str, Metrics]:
    """What `eval.zeroshot` wrote to metrics.json of the student in a folder.

    Raises:
        UserError: it is not there, is something else, or another student's.
    """
    path, mend = _folder(ckpt) / METRICS, _mend(ckpt)
    try:
        found = read_json(path, dict[str, Metrics], mend)
    except FileNotFoundError:
        raise UserError(f"{path}: not found; {mend}") from None
    own = _own(ckpt, found)
    return {name: found[name] for name in own}


def _folder(ckpt: Path) -> Path:
    return ckpt.parent / "zeroshot"


def _mend(ckpt: Path) -> str:
    return f"run: {zeroshot_command(ckpt)}"


def _own(ckpt: Path, names: Iterable[str]) -> list[str]:
    """Those of some benchmarks whose scores are this student's; all, where nothing says whose.

    All students of a run are scored into one folder, and what another left stays there.
    """
    path, every = _folder(ckpt) / STUDENTS, list(names)
    try:
        students = read_json(path, dict[str, str], _mend(ckpt))
    except FileNotFoundError:
        return every
    student = _sha256(ckpt)
    own = [name for name in every if students.get(name) == student]
    if every and not own:
        raise UserError(f"{path}: the scores there are another student's; {_mend(ckpt)}")
    return own


def _sha256(ckpt: Path) -> str | None:
    tensors = ckpt / TENSORS
    return file_sha256(tensors) if tensors.exists() else None


def seconds(ckpt: Path, found: Mapping[str, Metrics]) -> dict[str, float]:
    """Benchmark -> seconds that scoring this student took, as far as they were recorded."""
    student = _sha256(ckpt)
    records = {name: read_timing(score_timing(_folder(ckpt), name)) for name in found}
    return {name: each.seconds for name, each in records.items() if each and each.of == student}


def rows(found: Mapping[str, Metrics], took: Mapping[str, float]) -> list[Row]:
    """A line for each metric of each benchmark, beside the benchmark's seconds."""
    return [row for name, values in found.items() for row in _rows(name, values, took.get(name))]


def _rows(benchmark: str, values: Metrics, took: float | None) -> list[Row]:
    by_metric: dict[str, dict[str, float]] = {}
    for name, value in values.items():
        who = next((each for each in WHO if name.startswith(f"{each}_")), None)
        if who:
            by_metric.setdefault(name.removeprefix(f"{who}_"), {})[who] = value
    by_metric.pop("samples", None)  # how many samples the published score is of
    counts = values.get("samples"), values.get("classes")
    knowing_nothing = values.get("chance"), values.get("majority")
    return [
        Row(
            benchmark, metric, *counts, *((None, None) if number else knowing_nothing), scores, took
        )
        for number, (metric, scores) in enumerate(by_metric.items())
    ]


def per_class(ckpt: Path) -> dict[str, list[ClassScore]]:
    """Benchmark -> its classes.

    Raises:
        UserError: there is none of this student, or a table is not one.
    """
    tables = _tables(ckpt, "per_class")
    return {name: [_class_score(row) for row in table] for name, table in tables}


def _class_score(row: Mapping[str, str]) -> ClassScore:
    models = {name: _share(text) for name, text in row.items() if name not in ("class", "samples")}
    return ClassScore(row["class"], row["samples"], models)


def _share(text: str) -> float | None:
    value = float(text)
    return value if 0 <= value <= 1 else None  # `nan` is neither


def confusions(ckpt: Path) -> dict[str, list[Confusion]]:
    """Benchmark -> the pairs of classes that are confused most often; raises as `per_class`."""
    return {name: _confused(table) for name, table in _tables(ckpt, "predictions")}


def _confused(table: list[dict[str, str]]) -> list[Confusion]:
    of = Counter(row["actual"] for row in table)
    pairs = Counter((row["actual"], row["predicted"]) for row in table)
    wrong = sorted((-n, *pair) for pair, n in pairs.items() if pair[0] != pair[1])
    return [Confusion(actual, other, -n, of[actual]) for n, actual, other in wrong[:CONFUSED]]


def matrices(ckpt: Path) -> dict[str, str]:
    """Benchmark -> its confusion matrix as a data URI.

    Raises:
        UserError: one is no picture, or they are another student's.
    """
    found = {}
    for path in _files(ckpt, "confusion", ".png"):
        try:
            with Image.open(path, formats=("PNG",)) as picture:
                found[path.stem] = picture_uri(picture.convert("RGB"), PICTURE, quality=80)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(f"{path}: expected a picture ({error}); {_mend(ckpt)}") from None
    return found


def _files(ckpt: Path, folder: str, suffix: str) -> list[Path]:
    """Those of the student's own benchmarks."""
    paths = {path.stem: path for path in sorted((_folder(ckpt) / folder).glob(f"*{suffix}"))}
    return [paths[name] for name in _own(ckpt, paths)]


def _tables(ckpt: Path, folder: str) -> list[tuple[str, list[dict[str, str]]]]:
    paths = _files(ckpt, folder, ".csv")
    if not paths:
        raise UserError(f"{_folder(ckpt) / folder}: not found, or empty; {_mend(ckpt)}")
    return [(path.stem, _table(path, _mend(ckpt))) for path in paths]


def _table(path: Path, mend: str) -> list[dict[str, str]]:
    wanted = {"per_class": ("class", "samples"), "predictions": ("actual", "predicted")}
    try:
        table = list(csv.DictReader(read_small(path, mend, LARGEST_CSV).decode().splitlines()))
        if any(row.get(name) is None for row in table for name in wanted[path.parent.name]):
            raise ValueError(f"without {' and '.join(wanted[path.parent.name])}")
    except ValueError as error:
        raise UserError(f"{path}: expected what eval.zeroshot writes ({error}); {mend}") from None
    return table

"""What a model scored on each benchmark: metrics.json, and table.txt for the reader."""

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from rich.console import Console
from rich.table import Table

from pipeline.atomic import write_atomically
from pipeline.config.evaluation import BenchmarkConfig
from pipeline.errors import UserError

METRICS, TABLE, STUDENTS = "metrics.json", "table.txt", "students.json"
MODELS = ("student", "teacher")
COLUMNS = (
    "benchmark", "metric", "samples", "classes", "chance", "majority", "teacher", "student",
    "published",
)  # fmt: skip
AS_NEEDED = ("published",)
Metrics = dict[str, float | int]
Json = TypeVar("Json")


LINES = {
    "mean of folds": ("folds",),
    "mAP": ("map",),
    "R@1/5/10 from text": ("from_text_r1", "from_text_r5", "from_text_r10"),
    "R@1/5/10 to text": ("to_text_r1", "to_text_r5", "to_text_r10"),
    "top-1": ("top1",),
}
"""Metric -> its scores' names behind `student_` and `teacher_`."""


class Scoreboard:
    """Writes each benchmark's scores as they come, beside those of the same model that are there.

    Scores that are known to be another model's are dropped: students.json says whose they are.

    Args:
        folder: where the scores lie.
        model: what tells the model from others: sha256 of a student's tensors.
        benchmarks: those of the params file.

    Raises:
        UserError: what lies in the folder cannot be read.
    """

    def __init__(self, folder: Path, model: str, benchmarks: Mapping[str, BenchmarkConfig]) -> None:
        self._folder, self._model, self._benchmarks = folder, model, benchmarks
        models = _read(folder / STUDENTS, dict[str, str])
        there = _read(folder / METRICS, dict[str, Metrics])
        self._scores = {n: m for n, m in there.items() if models.get(n, model) == model}

    def add(self, name: str, metrics: Metrics) -> None:
        """Put a benchmark's scores beside the others."""
        self._scores[name] = metrics
        models = dict.fromkeys(self._scores, self._model)
        self._write(STUDENTS, json.dumps(models, indent=1) + "\n")
        self._write(METRICS, json.dumps(self._scores, indent=1) + "\n")
        self._write(TABLE, self.table())

    def table(self) -> str:
        """All scores in per cent."""
        rows = [row for name, scores in self._scores.items() for row in self._rows(name, scores)]
        only_top1 = all(row["metric"] == "top-1" for row in rows)
        title = "Zero-shot top-1" if only_top1 else "Zero-shot scores"
        table = Table(title=f"{title} on held-out samples (%)")
        shown = [
            name for name in COLUMNS if any(row[name] for row in rows) or name not in AS_NEEDED
        ]
        shown = [name for name in shown if name != "metric" or not only_top1]
        for column in shown:
            left = column in ("benchmark", "metric")
            table.add_column(column, justify="left" if left else "right")
        for row in rows:
            table.add_row(*(row[name] for name in shown))
        table.caption = self._caption("published" in shown)
        console = Console(width=120, record=True, file=io.StringIO())
        console.print(table)
        return console.export_text()

    def _caption(self, published: bool) -> str | None:
        said = ["published: student / teacher"] if published else []
        left_out = {n: s["unreadable"] for n, s in self._scores.items() if s.get("unreadable")}
        if left_out:
            counts = ", ".join(f"{count} of {name}" for name, count in left_out.items())
            said.append(f"unreadable samples left out: {counts}")
        return "; ".join(said) or None

    def _rows(self, name: str, scores: Metrics) -> Iterator[dict[str, str]]:
        """A row for each metric of a benchmark; one scored by folds has no other."""
        there = [line for line, (first, *_) in LINES.items() if _has(scores, first)] or ["top-1"]
        for line in there[:1] if there[0] == "mean of folds" else there:
            yield self._row(name, scores, line)

    def _row(self, name: str, scores: Metrics, line: str) -> dict[str, str]:
        benchmark, values = self._benchmarks.get(name), LINES[line]
        counts = {count: str(scores.get(count, "-")) for count in ("samples", "classes")}
        shares = {share: _percent(scores, share) for share in ("chance", "majority")}
        teacher, student = (_percents(scores, who, values) for who in ("teacher", "student"))
        named = f" ({benchmark.teacher})" if benchmark else ""
        published = [_percents(scores, f"published_{who}", values) for who in MODELS]
        any_published = any(score != "-" for score in published)
        return {
            "benchmark": name, "metric": line, **counts, **shares, "teacher": f"{teacher}{named}",
            "published": " / ".join(published) + _of(scores) if any_published else "",
            "student": student,
        }  # fmt: skip

    def _write(self, name: str, text: str) -> None:
        write_atomically(self._folder / name, text.encode())


def _has(scores: Metrics, name: str) -> bool:
    return any(f"{who}_{name}" in scores for who in MODELS)


def _percents(scores: Metrics, who: str, names: tuple[str, ...]) -> str:
    """Several scores of a model, or one `-` where it has none of them."""
    each = [_percent(scores, f"{who}_{name}") for name in names]
    return "/".join(each) if set(each) != {"-"} else "-"


def _percent(scores: Metrics, name: str) -> str:
    return f"{100 * scores[name]:.1f}" if name in scores else "-"


def _of(scores: Metrics) -> str:
    """Of how many samples a published score is, where ours is of others."""
    theirs = scores.get("published_samples")
    return "" if theirs in (None, scores.get("samples")) else f" of {theirs}"


def _read(path: Path, kind: type[Json]) -> Json:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return kind()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: expected what eval.zeroshot wrote there ({error}); delete it"
        ) from None

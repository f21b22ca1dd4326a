"""What a student scored on each benchmark: metrics.json, and table.txt for the reader."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from rich.console import Console
from rich.table import Table

from pipeline.atomic import write_atomically
from pipeline.config.evaluation import BenchmarkConfig
from pipeline.errors import UserError

METRICS, TABLE, STUDENTS = "metrics.json", "table.txt", "students.json"
Metrics = dict[str, float | int]
Json = TypeVar("Json")


class Scoreboard:
    """Writes each benchmark's scores as they come, beside those of the same student that are there.

    Scores that are known to be another student's are dropped: students.json says whose they are.

    Args:
        folder: where the scores lie.
        student: sha256 of the student's tensors.
        benchmarks: those of the params file.

    Raises:
        UserError: what lies in the folder cannot be read.
    """

    def __init__(
        self, folder: Path, student: str, benchmarks: Mapping[str, BenchmarkConfig]
    ) -> None:
        self._folder, self._student, self._benchmarks = folder, student, benchmarks
        students = _read(folder / STUDENTS, dict[str, str])
        there = _read(folder / METRICS, dict[str, Metrics])
        self._scores = {n: m for n, m in there.items() if students.get(n, student) == student}

    def add(self, name: str, metrics: Metrics) -> None:
        """Put a benchmark's scores beside the others."""
        self._scores[name] = metrics
        students = dict.fromkeys(self._scores, self._student)
        self._write(STUDENTS, json.dumps(students, indent=1) + "\n")
        self._write(METRICS, json.dumps(self._scores, indent=1) + "\n")
        self._write(TABLE, self.table())

    def table(self) -> str:
        """All scores, top-1 in per cent."""
        table = Table(title="Zero-shot top-1 on held-out samples (%)")
        for column in ("benchmark", "samples", "classes", "chance", "majority", "teacher"):
            table.add_column(column, justify="left" if column == "benchmark" else "right")
        table.add_column("student", justify="right")
        for name, scores in self._scores.items():
            table.add_row(name, *self._row(name, scores))
        left_out = {n: s["unreadable"] for n, s in self._scores.items() if s.get("unreadable")}
        if left_out:
            counts = ", ".join(f"{count} of {name}" for name, count in left_out.items())
            table.caption = f"unreadable samples left out: {counts}"
        console = Console(width=100, record=True, file=io.StringIO())
        console.print(table)
        return console.export_text()

    def _row(self, name: str, scores: Metrics) -> list[str]:
        benchmark = self._benchmarks.get(name)
        teacher = f" ({benchmark.teacher})" if benchmark else ""
        counts = [str(scores.get(count, "-")) for count in ("samples", "classes")]
        shares = [_percent(scores, share) for share in ("chance", "majority")]
        own = _percent(scores, "teacher_top1") + teacher
        return [*counts, *shares, own, _percent(scores, "student_top1")]

    def _write(self, name: str, text: str) -> None:
        write_atomically(self._folder / name, text.encode())


def _percent(scores: Metrics, name: str) -> str:
    return f"{100 * scores[name]:.1f}" if name in scores else "-"


def _read(path: Path, kind: type[Json]) -> Json:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return kind()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: expected what eval.zeroshot wrote there ({error}); delete it"
        ) from None

"""A finished table as Markdown, JSON and a plot, each beside the paper's numbers."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from demo.ablation.run import Findings
from demo.ablation.settings import SCORED, Budget
from demo.ablation.statistics import METHOD, Estimate, estimate, paired_p
from demo.ablation.variants import TABLES, TITLES, Row
from pipeline.atomic import replacing, write_atomically
from pipeline.commands import same_command

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

COLUMNS = {"points": "3D points (paper: ModelNet40)", "depth": "depth (paper: SUN-D)"}


@dataclass(frozen=True)
class Cell:
    """A row's score on a benchmark; fractions of 1."""

    score: Estimate
    difference: Estimate | None
    """From the first row, on the same objects; None in that row."""
    p: float | None
    published: float

    @property
    def differs(self) -> bool:
        """Whether the interval of the difference leaves out 0."""
        return self.difference is not None and self.difference.low * self.difference.high > 0


@dataclass(frozen=True)
class TableResult:
    """All cells of a table."""

    table: int
    cells: dict[str, dict[str, Cell]]
    """Row -> benchmark -> cell."""
    findings: Findings
    budget: Budget
    command: str
    commit: str

    @property
    def objects(self) -> int:
        """That every row was scored on."""
        return len(next(iter(self.findings.right["points"].values())))


def table_result(table: int, findings: Findings, budget: Budget) -> TableResult:
    """Compare the rows of a table."""
    first = TABLES[table][0]
    cells = {
        row.name: {name: _cell(findings, name, row, first) for name in SCORED}
        for row in TABLES[table]
    }
    return TableResult(table, cells, findings, budget, same_command(), _commit())


def write(folder: Path, result: TableResult) -> None:
    """Write table<N>.md, .json and .png."""
    stem = folder / f"table{result.table}"
    write_atomically(stem.with_suffix(".md"), markdown(result).encode())
    content = json.dumps(described(result), indent=1) + "\n"
    write_atomically(stem.with_suffix(".json"), content.encode())
    plot(stem.with_suffix(".png"), result)


def described(result: TableResult) -> dict[str, Any]:
    """Everything, as JSON says it."""
    rows = {
        row: {name: asdict(cell) for name, cell in cells.items()}
        for row, cells in result.cells.items()
    }
    return {
        "table": result.table, "command": result.command, "commit": result.commit,
        "seconds": round(result.findings.seconds), "budget": asdict(result.budget),
        "objects": result.objects, "answers": result.findings.samples, "method": METHOD,
        "rows": rows, "teachers": result.findings.teachers,
    }  # fmt: skip


def markdown(result: TableResult) -> str:
    """The table with how it was made."""
    head = ["", *(f"{n}, top-1 % [95 %] | difference, p | paper" for n in COLUMNS.values())]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * (1 + 3 * len(COLUMNS))]
    for row, cells in result.cells.items():
        lines.append(f"| {' | '.join([row, *(_texts(cells[name]) for name in COLUMNS)])} |")
    return (
        "\n\n".join(
            [f"# {TITLES[result.table]}", "\n".join(lines), _orders(result), METHOD, _made(result)]
        )
        + "\n"
    )


def plot(path: Path, result: TableResult) -> None:
    """Each row's score with its interval, and the paper's, as a PNG."""
    names = list(result.cells)
    size = (11, 1.5 + 0.5 * len(names))
    figure, panels = plt.subplots(1, len(COLUMNS), figsize=size, sharey=True)
    for axes, (name, title) in zip(panels, COLUMNS.items()):
        cells = [cells[name] for cells in result.cells.values()]
        means = np.array([100 * cell.score.mean for cell in cells])
        ends = np.array([[100 * cell.score.low, 100 * cell.score.high] for cell in cells]).T
        places = np.arange(len(names))
        axes.errorbar(means, places, xerr=abs(ends - means), fmt="o", capsize=4, label="here")
        axes.plot([100 * c.published for c in cells], places, "x", color="grey", label="paper")
        axes.axvline(means[0], color="lightgrey", zorder=0)
        axes.set(title=title, xlabel="zero-shot top-1 (%), 95 % interval")
        axes.set_yticks(places, names)
    panels[0].invert_yaxis()
    panels[0].legend()
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=100, bbox_inches="tight")
    plt.close(figure)


def _cell(findings: Findings, name: str, row: Row, first: Row) -> Cell:
    scores = findings.right[name][row.variant.folder]
    baseline, published = findings.right[name][first.variant.folder], row.published[name] / 100
    cell = Cell(estimate(scores), None, None, round(published, 4))
    if row is first:
        return cell
    difference = estimate(scores - baseline)
    return replace(cell, difference=difference, p=paired_p(scores, baseline))


def _texts(cell: Cell) -> str:
    score, published = _percent(cell.score), f"{100 * cell.published:.1f}"
    if cell.difference is None:
        return f"{score} | - | {published}"
    return f"{score} | {_percent(cell.difference, '+')}, p {cell.p:.4f} | {published}"


def _percent(estimate: Estimate, sign: str = "") -> str:
    mean, low, high = (f"{100 * v:{sign}.1f}" for v in (estimate.mean, estimate.low, estimate.high))
    return f"{mean} [{low}, {high}]"


def _orders(result: TableResult) -> str:
    """What the table says beside the paper's, in words."""
    first = next(iter(result.cells))
    lines = []
    for name, title in COLUMNS.items():
        cells = {row: each[name] for row, each in result.cells.items()}
        here = _ranked({row: cell.score.mean for row, cell in cells.items()})
        there = _ranked({row: cell.published for row, cell in cells.items()})
        told = [row for row, cell in cells.items() if cell.differs] or ["none"]
        lines.append(
            f"- {title}: best to worst here: {here}; in the paper: {there}. "
            f"Told apart from the row `{first}` by an interval without 0: {', '.join(told)}."
        )
    return "\n".join(lines)


def _ranked(scores: Mapping[str, float]) -> str:
    """Rows from the best to the worst, those of one score joined by `=`."""
    rounded = {row: round(score, 9) for row, score in scores.items()}  # sums differ in the last bit
    best_first = sorted(rounded, key=lambda row: -rounded[row])
    return ", ".join(" = ".join(rows) for _, rows in groupby(best_first, key=lambda r: rounded[r]))


def _made(result: TableResult) -> str:
    budget, findings = result.budget, result.findings
    reached = "; ".join(f"{n}: {_scores(each)}" for n, each in findings.teachers.items())
    return (
        f"Made by `{result.command}` at commit {result.commit} in {findings.seconds:.0f} s of work "
        f"(all parts, one after the other). {budget.folds}-fold cross-validation by object, "
        "variants of one mesh together: "
        f"{result.objects} objects, {findings.samples['points']} clouds and "
        f"{findings.samples['depth']} depth maps answered zero-shot by students that saw neither "
        "them nor a teacher that did. In each fold the nano teachers are trained anew: "
        f"{', '.join(_trainings(budget)[name] for name in findings.teachers)}; then the students, "
        f"of points, depth and image alone, {budget.student_epochs} epochs over {budget.views} "
        "cached views, one seed; the rest as in the params file.\n\n"
        f"Teachers on the held-out objects of each fold (zero-shot top-1; of MultiMAE, which has "
        f"no text space, of a linear probe): {reached}."
    )


def _trainings(budget: Budget) -> dict[str, str]:
    """Teacher -> how long it is trained."""
    return {
        "clip": f"CLIP {budget.clip_steps} steps",
        "multimae": f"MultiMAE (depth alone) {budget.mae_epochs} epochs",
        "ulip": f"ULIP {budget.ulip_epochs} epochs",
        "recon": f"ReCon {budget.recon_epochs} epochs",
        "vitlens": f"ViT-Lens {budget.vitlens_epochs} epochs",
    }


def _scores(folds: list[dict[str, float]]) -> str:
    scores = [100 * each.get("top1", each.get("probe_top1", np.nan)) for each in folds]
    return f"{np.mean(scores):.1f} ({', '.join(f'{score:.1f}' for score in scores)})"


def _commit() -> str:
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return said.stdout.strip() or "unknown"

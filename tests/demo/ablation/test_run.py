"""A whole cross-validation, of a few objects and steps."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from demo.ablation import parts
from demo.ablation.run import Findings, cross_validate, folds_folder, phases
from demo.ablation.settings import Budget
from demo.ablation.variants import TABLES, Variant
from eval import ablate, ablation
from pipeline.config import Params, load_params
from pipeline.datasets.reading.pack import records
from tests.demo.tiny_pack import write_tiny_pack

TINY = Budget(
    folds=2, clip_steps=1, ulip_epochs=1, vitlens_epochs=1, recon_epochs=1, mae_epochs=1,
    student_epochs=1, views=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    root = tmp_path_factory.mktemp("ablation")
    pack = str(write_tiny_pack(root / "pack"))
    whole = load_params("params.yaml")
    return replace(
        whole,
        sources={name: replace(source, raw=pack) for name, source in whole.sources.items()},
        train=replace(whole.train, out=str(root / "runs" / "demo"), batch_size=16),
    )


@pytest.fixture(scope="module")
def findings(params: Params) -> Findings:
    return cross_validate(params, 2, TINY, workers=0)


def test_every_object_is_answered_once_by_every_row(findings: Findings):
    for name, samples in (("points", 10), ("depth", 20)):
        assert findings.samples[name] == samples
        assert [len(right) for right in findings.right[name].values()] == [10, 10]
    assert [len(scores) for scores in findings.teachers.values()] == [2, 2, 2]


def test_what_is_finished_is_not_done_again(
    params: Params, findings: Findings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ablation.Trainer, "run", lambda _: pytest.fail("trained again"))
    monkeypatch.setattr(parts, "_makers", lambda *_: pytest.fail("made a teacher again"))
    again = cross_validate(params, 2, TINY, workers=0)
    assert again.teachers == findings.teachers
    assert all(
        (again.right[name][row] == right).all()
        for name, rows in findings.right.items()
        for row, right in rows.items()
    )
    assert again.seconds > findings.seconds


def test_a_student_has_its_folds_teachers_and_never_saw_what_it_answers(
    params: Params, findings: Findings
):
    fold = folds_folder(params, TINY) / "fold-0"
    log = (fold / "runs" / "vitlens-ulip" / "log.jsonl").read_text()
    assert "ulip-objects" in log
    assert "vitlens-depths" in log
    seen, asked = (
        {line["id"] for line in records(fold / "pack", "objects", split)}
        for split in ("train", "test")
    )
    assert asked
    assert not seen & asked


@pytest.mark.parametrize(("table", "students"), [(2, 2), (3, 6)])
def test_a_table_asks_for_the_teachers_of_its_rows(table: int, students: int):
    data, first, second, last = phases(table, 5)
    assert len(data) == 5
    assert len(last) == 5 * students
    made = {part.what for part in (*first, *second)} - {"clip"}
    distilled = {t for row in TABLES[table] for t in row.variant.teachers}
    assert made == distilled
    assert all(isinstance(part.what, Variant) for part in last)


def test_another_budget_has_a_folder_of_its_own(params: Params):
    assert folds_folder(params, TINY) != folds_folder(params, Budget())


def test_the_command_writes_its_results(
    params: Params, findings: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("demo.ablation.run.cross_validate", lambda *_: findings)
    monkeypatch.setattr(ablate, "load_params", lambda _: params)
    monkeypatch.setattr(ablate, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["ablate", "--table", "2"])
    ablate.main()
    written = {file.name for file in tmp_path.iterdir()}
    assert written == {"table2.md", "table2.json", "table2.png"}

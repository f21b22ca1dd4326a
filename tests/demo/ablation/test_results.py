"""A table as it is written, of made answers."""

import json
from dataclasses import replace

import numpy as np
import pytest

from demo.ablation import results
from demo.ablation.run import Findings, by_object
from demo.ablation.settings import Budget
from demo.ablation.variants import TABLES


@pytest.fixture(scope="module")
def result() -> results.TableResult:
    rng, names = np.random.default_rng(0), [row.variant.folder for row in TABLES[3]]
    right = {n: (rng.random(60) < 0.4 + 0.1 * place) * 1.0 for place, n in enumerate(names)}
    teachers = {"ulip": [{"top1": 0.5}, {"top1": 0.7}], "multimae": [{"probe_top1": 0.2}]}
    samples = {"points": 60, "depth": 120}
    findings = Findings({"points": right, "depth": right}, samples, teachers, 12.0)
    return results.table_result(3, findings, Budget())


def test_rows_stand_beside_the_papers_with_their_intervals(result):
    text = results.markdown(result)
    [last] = [line for line in text.splitlines() if line.startswith("| + ViT-Lens and ULIP")]
    assert "| 55.6 |" in last
    assert last.endswith("| 45.4 |")
    assert "ulip: 60.0 (50.0, 70.0)" in text
    assert "60 objects, 60 clouds and 120 depth maps" in text


def test_no_teacher_is_said_to_be_trained_that_was_not(result):
    text = results.markdown(result)
    assert "trained anew: ULIP 24 epochs, MultiMAE (depth alone) 40 epochs; then" in text
    assert "recon" not in text.split("trained anew")[1].casefold()


def test_a_difference_is_told_where_its_interval_leaves_out_0(result):
    cells = [cells["points"] for cells in result.cells.values()]
    assert cells[0].difference is None
    assert not cells[0].differs
    assert cells[-1].differs
    assert cells[-1].p < 0.001
    assert "ViT-Lens and ULIP" in results.markdown(result).split("without 0:")[1]


def test_rows_of_one_score_have_no_order():
    scores = {"a": 0.3, "b": 0.1 + 0.2, "c": 0.2, "d": 0.4}
    assert results._ranked(scores) == "d, a = b, c"


def test_all_of_it_is_written(result, tmp_path):
    results.write(tmp_path, replace(result, command="python -m eval.ablate --table 3"))
    written = json.loads((tmp_path / "table3.json").read_text())
    assert written["rows"]["baseline"]["depth"]["published"] == 0.423
    assert written["command"] == "python -m eval.ablate --table 3"
    assert (tmp_path / "table3.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "table3.md").read_text().startswith("# Distillation")


def test_both_maps_of_an_object_are_one_score():
    maps = {"a-chair-front": True, "a-chair-left": False, "table-front": True}
    assert by_object(maps, "depth") == {"a-chair": 0.5, "table": 1.0}
    assert by_object({"a-chair": True}, "points") == {"a-chair": 1.0}

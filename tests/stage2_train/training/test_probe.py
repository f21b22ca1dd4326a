"""The probe: retrieval among the label texts of a fixed batch; training goes on as before."""

from pathlib import Path

import pytest

from stage2_train.student import Student
from stage2_train.training.probe import Probe
from stage2_train.training.trainer import Trainer
from tests.stage2_train.training.trainings import params_of


@pytest.mark.parametrize("knows", [True, False])
def test_recall_counts_the_samples_whose_nearest_text_is_their_own(
    cached_world: Path, monkeypatch: pytest.MonkeyPatch, knows: bool
) -> None:
    parts = Trainer(params_of(cached_world)).assembly
    probe = Probe(params_of(cached_world), parts.indexes, parts.texts)
    parts.student.train()
    for probed in probe._sources.values():
        rows = range(len(probed.texts))
        said = [next(row for row in rows if (row in own) == knows) for own in probed.own]
        answers = probed.texts[said]
        monkeypatch.setattr(Student, "encode", lambda *_, answers=answers: answers)
        assert probed.recall(parts.student) == float(knows)
    assert parts.student.training

"""`train.compile`: the student becomes one graph a modality, and trains the same."""

from functools import partial
from pathlib import Path

import pytest
import torch

from tests.stage2_train.training import trainings
from tests.stage2_train.training.trainings import params_of


@pytest.mark.parametrize("recompute", [False, True])
def test_a_compiled_student_has_the_same_gradients(
    cached_world: Path, monkeypatch: pytest.MonkeyPatch, recompute: bool
) -> None:
    """By the tracing backend: the default one gives the same, after minutes of C++ compilation."""
    quick = partial(torch.compile, backend="eager", fullgraph=True)
    monkeypatch.setattr(torch, "compile", quick)
    settings = {"checkpoint_activations": recompute}
    plain = trainings.gradients(params_of(cached_world, **settings))
    compiled = trainings.gradients(params_of(cached_world, compile=True, **settings))
    for name, gradient in plain.items():
        torch.testing.assert_close(compiled[name], gradient, rtol=1e-3, atol=1e-6, msg=name)

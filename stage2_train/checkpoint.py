"""Training checkpoints: atomic, in a folder per recipe, so that two recipes never mix."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import UserError
from pipeline.weights import load_checkpoint
from stage2_train.stream import Cursor

KEPT = 2
"""Checkpoints on disk: the latest, and the one before in case the latest is damaged."""


def recipe_fingerprint(recipe: Mapping[str, Any]) -> str:
    """blake2b over the canonical JSON of everything that determines a training."""
    text = json.dumps(recipe, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class TrainingState:
    """All that a training needs to go on as if it had never stopped."""

    step: int
    """Finished steps."""
    tensors: dict[str, torch.Tensor]
    """Trainable parameters by name."""
    optimizer: dict[str, Any]
    cursors: dict[str, Cursor]
    """Source -> how far it has been read."""


class Checkpoints:
    """The checkpoints of one run and recipe: `<out>/checkpoints/<recipe>/step-<n>.pt`."""

    def __init__(self, out: Path, recipe: Mapping[str, Any]) -> None:
        self.folder = out / "checkpoints" / recipe_fingerprint(recipe)

    def save(self, state: TrainingState) -> None:
        """Write a checkpoint whole or not at all, then drop the oldest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"step-{state.step:08d}.pt"
        partial = path.with_name(path.name + ".partial")
        torch.save(asdict(state), partial)
        partial.replace(path)
        for old in self._files()[:-KEPT]:
            old.unlink()

    def latest(self) -> TrainingState | None:
        """The newest readable checkpoint; a damaged one is named and passed over."""
        for path in reversed(self._files()):
            try:
                content = load_checkpoint(path)
                cursors = {name: Cursor(**cursor) for name, cursor in content["cursors"].items()}
                return TrainingState(
                    content["step"], content["tensors"], content["optimizer"], cursors
                )
            except (UserError, KeyError, TypeError) as error:
                print(f"{path}: damaged checkpoint passed over ({error})")
        return None

    def clear(self) -> None:
        """Remove them all: a finished training must not be resumed by changed code."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.pt"))


def restore(parameters: Mapping[str, torch.nn.Parameter], state: TrainingState) -> None:
    """Copy a checkpoint's tensors into the parameters of the same names."""
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(state.tensors[name])

"""Training checkpoints: atomic, sealed, in a folder per recipe, so that two recipes never mix.

    <out>/checkpoints/<recipe>/step-<n>/
        *.distcp, .metadata     torch.distributed.checkpoint: parameters, AdamW, generators
        progress.json           step, cursors, a hash of every other file, and one of its own

Kept are the two latest (the last, and the one before in case it is damaged), the one with the best
probe, and every one whose step is a multiple of `keep_every`. Nothing in it belongs to one rank
alone, so any number of ranks can resume.
"""

import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import torch
import torch.distributed.checkpoint as dcp
import xxhash
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException

from pipeline.atomic import write_atomically
from pipeline.errors import UserError
from pipeline.identity import fingerprint
from pipeline.shards import file_hash
from stage2_train.stream.order import Cursor
from stage2_train.training.ranks import Ranks

LATEST = 2
PROGRESS = "progress.json"
_GPU_GENERATOR = "generator.cuda"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a training has come; with the tensors, all it needs to go on."""

    step: int
    """Finished steps."""
    cursors: dict[str, Cursor]
    """Source -> how far all ranks together have read it."""
    skipped: int = 0
    """Steps without an update, because their loss was not finite."""
    score: float = 0.0
    """Mean recall of the probe: the higher, the better."""
    files: dict[str, str] = field(default_factory=dict)
    """xxh3-128 of each file of the checkpoint."""
    xxh3: str = ""
    """xxh3-128 of all the above; checkpoints of older versions have none."""

    def sealed(self) -> "Progress":
        """The same with its own hash filled in."""
        bare = replace(self, xxh3="")
        return replace(bare, xxh3=xxhash.xxh3_128_hexdigest(msgspec.json.encode(bare)))


def training_tensors(
    parameters: Mapping[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """The live tensors that a checkpoint holds; loading writes into them.

    Nothing but tensors, so that reading a checkpoint unpickles no object of another's making.
    """
    tensors = {}
    for name, parameter in parameters.items():
        tensors[f"parameter.{name}"] = parameter.detach()
        tensors |= {f"{key}.{name}": t for key, t in optimizer.state[parameter].items()}
    return tensors


class Checkpoints:
    """The checkpoints of one run and recipe; every method is for all ranks together.

    Args:
        out: the run's folder, the same one for all ranks.
        recipe: what determines the training.
        keep_every: steps between checkpoints that stay.
    """

    def __init__(self, out: Path, recipe: Mapping[str, Any], keep_every: int | None = None) -> None:
        self.folder = out / "checkpoints" / fingerprint(recipe, 6)
        self._keep_every, self._ranks = keep_every, Ranks.current()

    def folder_of(self, step: int) -> Path:
        """Folder of the checkpoint behind a step."""
        return self.folder / _name(step)

    def others(self) -> list[Path]:
        """Folders of other recipes whose trainings of this run are not finished."""
        return sorted({step.parent for step in self.folder.parent.glob("*/step-*")} - {self.folder})

    def save(self, tensors: Mapping[str, Tensor], progress: Progress) -> None:
        """Write a checkpoint whole or not at all, then drop those that are not to be kept."""
        final = self.folder_of(progress.step)
        partial = final.with_name(final.name + ".partial")
        if self._ranks.first:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        self._ranks.wait()
        with _quiet(partial):
            dcp.save(_with_generators(tensors), storage_writer=dcp.FileSystemWriter(partial))
        if self._ranks.first:
            _seal(partial, progress)
            shutil.rmtree(final, ignore_errors=True)
            partial.rename(final)
            self._drop_old()
        self._ranks.wait()

    def resume(self, tensors: Mapping[str, Tensor]) -> Progress | None:
        """Load the newest whole checkpoint; a damaged one is named and passed over."""
        progress = self._ranks.from_first(self.latest() if self._ranks.first else None)
        if progress is not None:
            folder = self.folder_of(progress.step)
            reader = dcp.FileSystemReader(folder)
            state = _with_generators(tensors)
            if _GPU_GENERATOR not in reader.read_metadata().state_dict_metadata:
                state.pop(_GPU_GENERATOR, None)  # written where there was no GPU
            with _quiet(folder):
                dcp.load(state, storage_reader=reader)
            _set_generators(state)
        return progress

    def latest(self) -> Progress | None:
        """Of the newest checkpoint that is whole."""
        for folder in reversed(self._folders()):
            try:
                progress = _read_sealed(folder)
            except (OSError, msgspec.DecodeError, ValueError) as error:
                print(f"{folder}: damaged checkpoint passed over ({error})")
            else:
                return progress
        return None

    def clear(self) -> None:
        """Remove them all: a finished training must not be resumed by changed code."""
        self._ranks.wait()
        if self._ranks.first:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _folders(self) -> list[Path]:
        names = re.compile(r"step-\d+")
        return sorted(p for p in self.folder.glob("step-*") if names.fullmatch(p.name))

    def _drop_old(self) -> None:
        """Unreadable ones do not count as best, but stay while they are among the latest."""
        folders = self._folders()
        scores = {}
        for folder in folders:
            try:
                progress = msgspec.json.decode((folder / PROGRESS).read_bytes(), type=Progress)
                scores[folder] = (progress.score, progress.step)
            except (OSError, msgspec.DecodeError):
                continue
        kept = {*folders[-LATEST:], max(scores, key=lambda folder: scores[folder])}
        for folder, (_, step) in scores.items():
            if self._keep_every and step % self._keep_every == 0:
                kept.add(folder)
        for folder in set(folders) - kept:
            shutil.rmtree(folder, ignore_errors=True)


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _seal(folder: Path, progress: Progress) -> None:
    files = {path.name: file_hash(path) for path in sorted(folder.iterdir())}
    sealed = replace(progress, files=files).sealed()
    write_atomically(folder / PROGRESS, msgspec.json.encode(sealed))


def _read_sealed(folder: Path) -> Progress:
    progress = msgspec.json.decode((folder / PROGRESS).read_bytes(), type=Progress)
    if progress.xxh3 and progress != progress.sealed():
        raise ValueError(f"{PROGRESS} does not fit its own hash")
    if folder.name != _name(progress.step):
        raise ValueError(f"{PROGRESS} is of step {progress.step}")
    for name, expected in progress.files.items():
        if file_hash(folder / name) != expected:
            raise ValueError(f"{name} does not fit its hash")
    return progress


@contextmanager
def _quiet(folder: Path) -> Iterator[None]:
    """Without torch's warning that there is but one rank, and with one line for a failure."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        try:
            yield
        except CheckpointException as error:
            rank, (reason, _) = next(iter(error.failures.items()))
            why = " ".join(str(reason).split())
            raise UserError(f"{folder}: rank {rank} could not write or read it ({why})") from None


def _with_generators(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The tensors beside torch's own generators, in case anything ever draws from them."""
    state = {**tensors, "generator.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state[_GPU_GENERATOR] = torch.cuda.get_rng_state()
    return state


def _set_generators(state: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(state["generator.cpu"])
    if _GPU_GENERATOR in state:
        torch.cuda.set_rng_state(state[_GPU_GENERATOR])

"""The student of the best held-out scores, kept beside the one at the end of its training.

    <out>/best/                 a portable student, as <out>/student
    <out>/best/held_out.json    of which recipe and step it is, and its scores

The folder is written beside and renamed. It says itself what it holds, so a resumed training needs
to remember nothing.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import msgspec

from pipeline.atomic import write_atomically
from pipeline.config import Params
from pipeline.small_files import read_json
from stage2_train.training.assembly import Assembly
from stage2_train.training.held_out import HeldOut

BEST, SCORES = "best", "held_out.json"


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The contents of held_out.json."""

    recipe: str
    """Fingerprint of the training."""
    step: int
    """Finished steps."""
    mean: float
    """Of `scores`: the higher, the better."""
    scores: dict[str, float]
    """Benchmark -> fraction of 1."""
    samples: dict[str, int]
    """Benchmark -> how many of its held-out samples were scored."""


class BestStudent:
    """Scores a student in training now and then, and keeps the first one of the best mean.

    Args:
        params: of the training; `train.score_every` must not be null.
        parts: what it trains.
        recipe: its fingerprint.
        first_step: finished steps that it starts from; if there are any, its earlier best counts.
        total_steps: of the whole training; the last one is scored whatever its number.

    Raises:
        UserError: see `HeldOut`; or the earlier best does not say its scores.
    """

    def __init__(
        self, params: Params, parts: Assembly, recipe: str, first_step: int, total_steps: int
    ) -> None:
        self._parts, self._recipe = parts, recipe
        self._every, self._total_steps = params.train.score_every, total_steps
        self._held_out = HeldOut(params, parts)
        self._folder = Path(params.train.out) / BEST
        self._best = self._earlier() if first_step else None

    def due(self, step: int) -> bool:
        """Whether a finished step is to be scored."""
        return step == self._total_steps or (self._every is not None and step % self._every == 0)

    def scores(self, step: int) -> dict[str, float]:
        """What is logged of a finished step: `held_out/NAME` of each benchmark, and their mean.

        Raises:
            OSError: the student is the best so far and cannot be written.
        """
        scores, samples = self._held_out.scores(self._parts.student), self._held_out.samples
        mean = fmean(scores.values())
        if self._best is None or mean > self._best.mean:
            self._best = Scored(
                recipe=self._recipe, step=step, mean=mean, scores=scores, samples=samples
            )
            self._write(self._best)
        return {"held_out": mean, **{f"held_out/{name}": score for name, score in scores.items()}}

    def _earlier(self) -> Scored | None:
        """Of this very training on the same samples."""
        try:
            found = read_json(self._folder / SCORES, Scored, f"delete {self._folder}")
        except FileNotFoundError:
            return None
        same = (found.recipe, found.samples) == (self._recipe, self._held_out.samples)
        return found if same else None

    def _write(self, scored: Scored) -> None:
        partial = self._folder.with_name(f"{BEST}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        self._parts.student.save(partial, self._parts.objective.projectors)
        said = msgspec.json.format(msgspec.json.encode(scored), indent=2)
        write_atomically(partial / SCORES, said)
        shutil.rmtree(self._folder, ignore_errors=True)
        partial.rename(self._folder)

"""The proof that a store is intact, and that its teacher would give the same today."""

from dataclasses import dataclass
from itertools import product

from pipeline.errors import UserError
from pipeline.locations import remove
from pipeline.store.layout import TEXT
from pipeline.store.marker import drop_markers, marker_path
from stage1_extract.extraction import Extraction
from stage1_extract.progress import ExtractionProgress
from stage1_extract.recompute import (
    LEAST_COSINE,
    open_store,
    recomputed_cosines,
    remember,
    text_cosine,
)
from stage1_extract.shared_views import most_workers


@dataclass(frozen=True)
class Verdict:
    """What was found in one store."""

    bad: dict[tuple[int, int], str]
    """(tar, block of views) -> what is wrong with it, and the command that mends it."""
    cosines: list[float]
    """Of the recomputed rows, each under one random view."""
    text_cosine: float
    """Of a recomputed label text; 1 without any."""

    @property
    def least(self) -> float:
        """Of all that was recomputed."""
        return min([*self.cosines, self.text_cosine])

    @property
    def drifted(self) -> bool:
        """Whether the teacher gives something else today."""
        return self.least < LEAST_COSINE

    @property
    def good(self) -> bool:
        """Whether the store may be used."""
        return not self.bad and not self.drifted


def verify(extraction: Extraction, rows: int) -> Verdict:
    """Check every tar's planes, then recompute `rows` rows drawn by the run's seed.

    What the recomputed rows tell is noted in the store, where stage 2 finds it.

    Raises:
        UserError: there is no store, or it belongs to another recipe.
    """
    store = open_store(extraction)
    bad: dict[tuple[int, int], str] = {}
    tars = range(len(extraction.index.shards))
    for shard, view in product(tars, extraction.forward.views):
        try:
            store.read(shard, view)
            store.key_hash(shard)
        except UserError as error:
            bad[shard, view // store.layout.views] = str(error)
    damaged = {shard for shard, _ in bad}
    whole = [shard for shard in tars if shard not in damaged]
    cosines = recomputed_cosines(extraction, whole, rows)
    verdict = Verdict(bad, cosines, text_cosine(extraction))
    if cosines:
        remember(extraction, verdict.least)
    return verdict


def repair(extraction: Extraction, verdict: Verdict) -> None:
    """Withdraw the markers of bad tars, of all where the teacher drifted; extract those again."""
    if verdict.drifted:
        drop_markers(extraction.path, set())
        remove(extraction.path / TEXT)
    for shard, block in verdict.bad:
        tar = extraction.index.shards[shard].name
        marker_path(extraction.path, tar, block).unlink(missing_ok=True)
    with ExtractionProgress("repair") as progress:
        extraction.run(progress, most_workers())


def report(extraction: Extraction, verdict: Verdict) -> str:
    """What was found in a store, in lines for the person."""
    tars = len(extraction.index.shards)
    least = f"{verdict.least:.6f}" if verdict.cosines else "-"
    lines = [
        f"{extraction.path}: {tars - len({tar for tar, _ in verdict.bad})} of {tars} tars intact, "
        f"{len(verdict.cosines)} rows recomputed, least cosine {least}"
    ]
    if verdict.drifted:
        lines.append("the teacher gives something else today; --repair extracts all of it anew")
    return "\n  ".join([*lines, *verdict.bad.values()])

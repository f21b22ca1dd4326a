"""Random rows of a store, computed again by its teacher and compared."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from pipeline.commands import repair_command
from pipeline.errors import UnreadableSample, UserError
from pipeline.rows import read_rows
from pipeline.samples import decode_member
from pipeline.store import FeatureStore
from pipeline.store.drift import note_drift, withdraw_drift
from pipeline.views import ViewRng
from stage1_extract.extraction import Extraction

LEAST_COSINE = 0.9999
SPOT_CHECK = 4
"""Rows that every extraction computes again at its end."""
DRAWS = 16
"""Draws for each row wanted: rows that failed, and fail still, tell nothing."""


def open_store(extraction: Extraction) -> FeatureStore:
    """The extraction's store for reading; raises UserError where it is of another recipe."""
    return FeatureStore(extraction.path, extraction.index, extraction.provenance.determines)


def recomputed_cosines(extraction: Extraction, tars: Sequence[int], rows: int) -> list[float]:
    """Cosines between rows drawn by the run's seed from some tars, and the same rows now.

    A row that had failed and fails still is not among them; one that had failed and could be used
    now has a cosine of 0.

    Raises:
        UserError: a drawn plane is damaged or missing.
    """
    rng = ViewRng(extraction.maker.seed, extraction.index.dataset, 0, "verify")
    store = open_store(extraction)
    drawn = (_row_cosine(extraction, store, tars, rng) for _ in range(DRAWS * rows) if tars)
    compared = (cosine for cosine in drawn if cosine is not None)
    return list(islice(compared, rows))


def text_cosine(extraction: Extraction) -> float:
    """Between the cached label text of one class, drawn by the run's seed, and the same now; 1
    where there are no label texts."""
    cached = open_store(extraction).text_features()
    if cached is None:
        return 1.0
    rng = ViewRng(extraction.maker.seed, extraction.index.dataset, 0, "verify-text")
    row = rng.integer(len(cached))
    live = extraction.label_texts([extraction.index.words[row]])[0]
    return _cosine(live, cached[row]) or 0.0


def spot_check(extraction: Extraction) -> None:
    """Compute a few rows of a finished store again, over all its tars; remember what was found.

    Raises:
        UserError: one of them differs.
    """
    tars = range(len(extraction.index.shards))
    least = min([*recomputed_cosines(extraction, tars, SPOT_CHECK), text_cosine(extraction)])
    remember(extraction, least)
    if least < LEAST_COSINE:
        raise UserError(
            f"{extraction.path}: a cached row and the teacher's feature now have a cosine of "
            f"{least:.6f}, expected {LEAST_COSINE} or more; {_way_out(extraction)}"
        )


def remember(extraction: Extraction, least: float) -> None:
    """Note in the store that it has drifted, or that it has not."""
    if least < LEAST_COSINE:
        note_drift(extraction.path, least)
    else:
        withdraw_drift(extraction.path)


def _way_out(extraction: Extraction) -> str:
    teacher = extraction.teacher.name
    if extraction.dtype == "int8":
        return f"int8 loses too much of it: set teachers.{teacher}.store to float16"
    anew = repair_command(extraction.path.parent.name, extraction.index.dataset)
    return f"put the code and files of {teacher} back, or extract all of it anew, run: {anew}"


def _row_cosine(
    extraction: Extraction, store: FeatureStore, tars: Sequence[int], rng: ViewRng
) -> float | None:
    """Of one drawn row; None where it had failed and fails still."""
    shard = tars[rng.integer(len(tars))]
    info, view = extraction.index.shards[shard], rng.integer(len(extraction.forward.views))
    row = rng.integer(info.count)
    key, members = read_rows(extraction.folder, info, [row])[0]
    cached = store.read(shard, view).target(row)
    try:
        decoded = decode_member(members, extraction.maker.chain.member)
        array = extraction.maker(decoded, key, view).array
    except UnreadableSample:
        return None if np.isnan(cached).any() else 0.0
    return _cosine(extraction.forward.feature(array).numpy(), cached)


def _cosine(live: np.ndarray, cached: np.ndarray) -> float | None:
    """Between two rows; 0 where one of them is not finite, None where neither is."""
    finite = np.isfinite(live).all(), np.isfinite(cached).all()
    if not all(finite):
        return 0.0 if any(finite) else None
    return float(live @ cached / (np.linalg.norm(live) * np.linalg.norm(cached) or 1.0))

"""Random rows of a store, computed again by its teacher and compared."""

from collections.abc import Sequence

import numpy as np

from pipeline.errors import UserError
from pipeline.samples import decode_member
from pipeline.shards import read_shard
from pipeline.store import FeatureStore
from pipeline.views import ViewRng
from stage1_extract.extraction import Extraction

LEAST_COSINE = 0.9999
SPOT_CHECK = 4
"""Rows that every extraction computes again at its end."""


def open_store(extraction: Extraction) -> FeatureStore:
    """The extraction's store for reading; raises UserError where it is of another recipe."""
    return FeatureStore(extraction.path, extraction.index, extraction.provenance.determines)


def recomputed_cosines(extraction: Extraction, tars: Sequence[int], rows: int) -> list[float]:
    """Cosines between rows drawn by the run's seed from some tars, and the same rows now.

    Raises:
        UserError: a drawn plane is damaged or missing.
    """
    rng = ViewRng(extraction.maker.seed, extraction.index.dataset, 0, "verify")
    store = open_store(extraction)
    drawn = [tars[rng.integer(len(tars))] for _ in range(rows)] if tars else []
    return [_cosine(extraction, store, shard, rng) for shard in drawn]


def spot_check(extraction: Extraction) -> None:
    """Compute a few rows of a finished store again, over all its tars.

    Raises:
        UserError: one of them differs.
    """
    tars = range(len(extraction.index.shards))
    least = min(recomputed_cosines(extraction, tars, SPOT_CHECK), default=1.0)
    if least < LEAST_COSINE:
        way_out = "run: python -m stage1_extract.verify and see its --help"
        if extraction.dtype == "int8":
            way_out = f"int8 loses too much of it: set teachers.{extraction.teacher.name}.store"
            way_out += " to float16"
        raise UserError(
            f"{extraction.path}: a cached row and the teacher's feature now have a cosine of "
            f"{least:.6f}, expected {LEAST_COSINE} or more; {way_out}"
        )


def _cosine(extraction: Extraction, store: FeatureStore, shard: int, rng: ViewRng) -> float:
    """Between a cached row and the same view through the teacher now; 1 if it had failed."""
    info, view = extraction.index.shards[shard], rng.integer(len(extraction.forward.views))
    row = rng.integer(info.count)
    key, members = list(read_shard(extraction.folder, info))[row]
    cached = store.read(shard, view).target(row)
    if np.isnan(cached).any():
        return 1.0
    decoded = decode_member(members, extraction.maker.chain.member)
    array = extraction.maker(decoded, key, view).array
    inputs = extraction.teacher.preprocess(array)[None]
    live = extraction.forward.encode(inputs)[0].cpu().numpy()
    return float(live @ cached / (np.linalg.norm(live) * np.linalg.norm(cached)))

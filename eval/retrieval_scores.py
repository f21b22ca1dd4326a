"""Retrieval from one modality to any other: recall, rank and average precision of cosines.

A million queries in a million items take 8 GB: similarities are made for some queries at a time,
as many as `BLOCK` has room for, and never all of them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

RECALLS = (1, 5, 10)
BLOCK = 1 << 25
"""Similarities held at once, 128 MB, which sorting takes five times; of a million items they are
those of 33 queries."""
FEW = 16
"""Relevant items of a query for each of which its row is counted through; sorting takes longer."""
TIE = 1e-6
"""Cosines no further apart are equal: the order in which float32 products are summed moves them by
less, and equal features must not be told apart by it."""


@dataclass(frozen=True)
class RetrievalScores:
    """Scores over the queries that have a relevant item; fractions of 1.

    Of items with equal cosines none comes first: recalls and ranks are what they would be on
    average over every order of them. So features that are all the same score what chance does.
    """

    recalls: dict[int, float]
    """k -> share of queries with a relevant item among the first k."""
    median_rank: float
    """Of each query's first relevant item; the best is 1."""
    mean_average_precision: float
    """Mean over queries of the mean over their relevant items of the precision there, items with
    an equal cosine included, as scikit-learn has it."""
    queries: int
    """That have a relevant item."""
    without_relevant: int
    """Queries that have none and are left out."""


def retrieval_scores(
    queries: Tensor, gallery: Tensor, query_ids: Tensor, gallery_ids: Tensor
) -> RetrievalScores:
    """Score a gallery's order by cosine to each query; an item is relevant where its id is equal.

    Ids are whatever two modalities share: a clip's number for its captions, a class for labels.

    Args:
        queries: float32 [queries, dim], at any length.
        gallery: float32 [items, dim], at any length.
        query_ids: int64 [queries].
        gallery_ids: int64 [items]; all four on one device.

    Raises:
        ValueError: no query has a relevant item, or a feature is not finite.
    """
    items, lengths, each = gallery.float(), _lengths(gallery), _lengths(queries)
    blocks = torch.arange(len(queries)).split(max(1, BLOCK // max(1, len(gallery))))
    found = []
    for block in blocks:
        relevant = query_ids[block, None] == gallery_ids
        kept = relevant.any(dim=1)
        rows = block[kept.cpu()]
        if len(rows):
            cosines = (queries[rows].float() / each[rows, None]) @ items.T
            found.append(_placed(cosines.div_(lengths), relevant[kept]))
    if not found:
        raise ValueError("no query has a relevant item")
    better, tied, first, precision = (torch.cat(part) for part in zip(*found))
    ranks = better + (tied + first + 1) / (first + 1)
    return RetrievalScores(
        recalls={k: float(_hits(better, tied, first, k).mean()) for k in RECALLS},
        median_rank=float(np.median(ranks)),
        mean_average_precision=float(precision.mean()),
        queries=len(ranks),
        without_relevant=len(queries) - len(ranks),
    )


def _lengths(features: Tensor) -> Tensor:
    lengths = torch.linalg.vector_norm(features, dim=1, dtype=torch.float32)
    if not bool(lengths.isfinite().all()):
        raise ValueError("a feature is not finite")
    return lengths.clamp(min=1e-12)


def _placed(cosines: Tensor, relevant: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What stands where, of rows that each have a relevant item; float64 [rows] on the CPU.

    Returns:
        Items better than the best relevant one; irrelevant ones equal to it; relevant ones equal to
        it, itself included; average precision.
    """
    counts = relevant.sum(dim=1)
    most = int(counts.max())
    scores = cosines.masked_fill(~relevant, -torch.inf).topk(most, dim=1).values
    at_least, own_at_least = (_at_least(rows, scores - TIE) for rows in (cosines, scores))
    better, first = (cosines > scores[:, :1] + TIE).sum(dim=1), own_at_least[:, 0]
    is_there = torch.arange(most, device=counts.device) < counts[:, None]
    precision = (own_at_least / at_least.double()).where(is_there, 0.0).sum(dim=1) / counts
    tied = at_least[:, 0] - better - first
    return better.double().cpu(), tied.double().cpu(), first.double().cpu(), precision.cpu()


def _at_least(rows: Tensor, bounds: Tensor) -> Tensor:
    """How many of a row's values reach each of its bounds, int64 [rows, bounds]."""
    if bounds.shape[1] <= FEW:
        return torch.stack([(rows >= bound[:, None]).sum(dim=1) for bound in bounds.T], dim=1)
    return rows.shape[1] - torch.searchsorted(rows.sort(dim=1).values, bounds)


def _hits(better: Tensor, tied: Tensor, first: Tensor, k: int) -> Tensor:
    """Chance that of some equal items, `first` of them relevant and `tied` not, in any order, a
    relevant one is among the first k of all; float64 [rows]."""
    place = torch.arange(k)
    equal = (tied + first)[:, None]
    missed = (tied[:, None] - place).clamp(min=0) / (equal - place).clamp(min=1)
    return 1 - missed.where(place < k - better[:, None], 1.0).prod(dim=1)

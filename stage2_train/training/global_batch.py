"""What a loss needs of the rows that other ranks hold, exchanged in three collectives a step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stage2_train.stream.join import MiniBatch
from stage2_train.stream.order import BatchSplit
from stage2_train.student import StudentOutput
from stage2_train.training.ranks import Ranks


@dataclass(frozen=True)
class Encoded:
    """A rank's mini-batch and what the student made of it."""

    batch: MiniBatch
    output: StudentOutput

    def valid(self, target: str) -> Tensor:
        """Rows that a store holds a feature for, bool [B]."""
        return valid_rows(self.batch.targets[target])


@dataclass(frozen=True)
class GlobalBatch:
    """All ranks' rows of one step, each rank's behind those of the one before."""

    embeddings: dict[str, Tensor]
    """Source -> [B, D]; gradients flow back to the ranks they came from."""
    texts: dict[str, Tensor]
    """Source -> int64 [B], rows of the TextTable."""
    paired: dict[str, Tensor]
    """Extraction -> [B, D] of CLIP's features of paired images; NaN where it had failed."""
    use: dict[str, Tensor]
    """Source -> [routers, E], share of the choices that fell on each expert."""
    valid: dict[str, Tensor]
    """Extraction -> scalar, rows that have a target."""


def exchange(
    encoded: Sequence[Encoded],
    splits: Mapping[str, BatchSplit],
    paired: Sequence[tuple[str, str]],
    ranks: Ranks,
) -> GlobalBatch:
    """Put together what the losses need of all ranks.

    Args:
        encoded: this rank's part of every source.
        splits: how the ranks share the sources.
        paired: (source, extraction) of CLIP's features that serve as anchors.
        ranks: this rank among the others.
    """
    by_source = {item.batch.source: item for item in encoded}
    rows = [splits[source].by_rank for source in by_source]
    embeddings = ranks.gathered([item.output.embedding.float() for item in encoded], rows)
    texts = ranks.gathered([item.batch.text[:, None] for item in encoded], rows)
    anchors: Sequence[Tensor] = ranks.gathered(
        [by_source[source].batch.targets[name] for source, name in paired],
        [splits[source].by_rank for source, _ in paired],
    )
    use, valid = _summed(encoded, splits, ranks)
    return GlobalBatch(
        dict(zip(by_source, embeddings)),
        {source: column[:, 0] for source, column in zip(by_source, texts)},
        {name: features for (_, name), features in zip(paired, anchors)},
        use,
        valid,
    )


def _summed(
    encoded: Sequence[Encoded], splits: Mapping[str, BatchSplit], ranks: Ranks
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Use of the experts and counts of valid rows, over all ranks."""
    use = {
        item.batch.source: item.output.use * splits[item.batch.source].fraction(ranks.rank)
        for item in encoded
    }
    valid = {name: item.valid(name).sum() for item in encoded for name in item.batch.targets}
    flat = torch.cat([value.float().flatten() for value in (*use.values(), *valid.values())])
    parts = ranks.summed(flat).split([v.numel() for v in (*use.values(), *valid.values())])
    shaped = [part.view(v.shape) for part, v in zip(parts, (*use.values(), *valid.values()))]
    return dict(zip(use, shaped)), dict(zip(valid, shaped[len(use) :]))


def valid_rows(target: Tensor) -> Tensor:
    """Rows of a cached target that hold a feature, bool [B]."""
    return ~target.isnan().any(dim=-1)

"""Which sample comes when: pure functions, the same for any number of ranks and worker processes.

A source's pass takes its tars in a permuted order, and the samples of each tar in a permuted order.
That sequence is cut into runs, equal but for one sample, which are read side by side: sample after
sample of the pass comes from the next run in turn, so that a batch mixes many tars. Pass follows
pass without end, so a short source repeats and none ends an epoch early. A step takes the next
samples of every source and deals them round its ranks: where the number of ranks divides that of
the runs and the mini-batch, a rank's samples come from its own runs, and those lie side by side
in the order of the tars.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from pipeline.views import ViewRng

MOST_RUNS = 64
"""Of a pass; the greatest power of two that its samples allow, where they are fewer."""
STREAM = 2
"""Of the order's definition; part of a training's identity."""


@dataclass(frozen=True)
class Cursor:
    """How far a source has been read by all ranks together."""

    passes: int = 0
    """Finished passes over the source."""
    position: int = 0
    """Samples taken of the present pass."""


class Slot(NamedTuple):
    """One place in a source's order."""

    passes: int
    """Pass p trains on view p mod K."""
    shard: int
    """Tar, by its number in the index."""
    row: int
    """Place of the sample in its tar."""


class SourceOrder:
    """The endless order of one source, a function of (seed, source, samples of each tar)."""

    def __init__(self, seed: int, source: str, counts: Sequence[int]) -> None:
        self._seed, self._source, self._counts = seed, source, np.asarray(counts)
        self.samples = int(self._counts.sum())
        """Of one pass."""
        if not self.samples:
            raise ValueError(f"source '{source}' has no samples")
        self._starts = _run_starts(self.samples)
        self._tars = lru_cache(maxsize=2)(self._tars_of)
        self._rows = lru_cache(maxsize=4 * MOST_RUNS)(self._rows_of)

    def slots(self, cursor: Cursor, numbers: range) -> list[Slot]:
        """Those of some ascending numbers, counted from the cursor on."""
        from_here = np.arange(numbers.start, numbers.stop, numbers.step)
        later, positions = np.divmod(cursor.position + from_here, self.samples)
        return [
            slot
            for passes in sorted(set(later.tolist()))
            for slot in self._slots(cursor.passes + passes, positions[later == passes])
        ]

    def after(self, cursor: Cursor, samples: int) -> Cursor:
        """Where the source stands when as many more have been taken."""
        passes, position = divmod(cursor.position + samples, self.samples)
        return Cursor(cursor.passes + passes, position)

    def _slots(self, passes: int, positions: np.ndarray) -> list[Slot]:
        """Those at some positions of a pass."""
        depths, runs = np.divmod(positions, len(self._starts))
        places = self._starts[runs] + depths
        tars, ends = self._tars(passes)
        numbers = np.searchsorted(ends, places, side="right")
        shards = tars[numbers]
        rows = places - ends[numbers] + self._counts[shards]
        return [
            Slot(passes, shard, self._rows(passes, shard)[row])
            for shard, row in zip(shards.tolist(), rows.tolist())
        ]

    def _tars_of(self, passes: int) -> tuple[np.ndarray, np.ndarray]:
        """A pass's tars in their order, and how many samples have passed with each."""
        tars = self._permuted(self._source, passes, len(self._counts))
        return tars, np.cumsum(self._counts[tars])

    def _rows_of(self, passes: int, shard: int) -> memoryview:
        """A tar's rows in a pass's order: they give ints sooner than the array does."""
        size = int(self._counts[shard])
        return self._permuted(f"{self._source}/{shard}", passes, size).data

    def _permuted(self, name: str, passes: int, size: int) -> np.ndarray:
        return ViewRng(self._seed, name, passes, "order").permutation(size)


def _run_starts(samples: int) -> np.ndarray:
    """Where the run starts from which the first, second ... sample of a pass comes.

    Run after run by bit-reversed numbers: then those whose turns are equal modulo a power of two,
    such as a rank's, are neighbours.
    """
    bits = min(MOST_RUNS.bit_length(), samples.bit_length()) - 1
    turns = [int(f"{number:0{bits}b}"[::-1], 2) if bits else 0 for number in range(1 << bits)]
    lengths = [len(range(turn, samples, len(turns))) for turn in turns]
    by_turn = dict(zip(turns, accumulate(lengths, initial=0)))
    return np.array([by_turn[turn] for turn in range(len(turns))])


def mini_batch_sizes(weights: dict[str, float], total: int) -> dict[str, int]:
    """Split `total` by weight, exactly: floors first, then one each to the largest remainders."""
    whole = sum(weights.values())
    shares = {name: total * weight / whole for name, weight in weights.items()}
    sizes = {name: int(share) for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: (sizes[name] - shares[name], name))
    for name in by_remainder[: total - sum(sizes.values())]:
        sizes[name] += 1
    return sizes


@dataclass(frozen=True)
class BatchSplit:
    """How one source's mini-batch is split over the ranks."""

    by_rank: tuple[int, ...]
    """Samples of each rank; they differ by at most one."""
    first: int = 0
    """The rank that gets the first sample; the others follow in turn."""

    @property
    def size(self) -> int:
        """Samples of all ranks together."""
        return sum(self.by_rank)

    def fraction(self, rank: int) -> float:
        """A rank's part of the whole, 0..1."""
        return self.by_rank[rank] / self.size

    def numbers(self, rank: int) -> range:
        """Which samples of the mini-batch are a rank's."""
        ranks = len(self.by_rank)
        return range((rank - self.first) % ranks, self.size, ranks)


def split_over_ranks(sizes: dict[str, int], ranks: int) -> dict[str, BatchSplit]:
    """Each source's split. What one source leaves over goes to the ranks that the one before it
    passed by, so that the ranks' totals differ by at most one too."""
    firsts = accumulate(sizes.values(), initial=0)
    return {
        source: BatchSplit(
            tuple(_of_rank(rank, first, size, ranks) for rank in range(ranks)), first % ranks
        )
        for (source, size), first in zip(sizes.items(), firsts)
    }


def _of_rank(rank: int, first: int, size: int, ranks: int) -> int:
    """How many of the numbers first..first+size-1 fall on a rank when dealt round."""
    return len(range((rank - first) % ranks, size, ranks))

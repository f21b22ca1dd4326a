"""Which sample comes when: pure functions, the same for any number of ranks and loader threads.

A source's pass takes its tars in a permuted order, and the samples of each tar in a permuted order.
Pass follows pass without end, so a short source repeats and none ends an epoch early. A step takes
the next samples of every source; each rank takes a contiguous part of them, as even as can be.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count, cycle
from typing import NamedTuple

from pipeline.views import ViewRng


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
        self._seed, self._source, self._counts = seed, source, counts
        self.samples = sum(counts)
        """Of one pass."""
        if not self.samples:
            raise ValueError(f"source '{source}' has no samples")

    def slots(self, cursor: Cursor) -> Iterator[Slot]:
        """Everything behind the cursor."""
        skip = cursor.position
        for passes in count(cursor.passes):
            for shard in self._permuted(self._source, passes, len(self._counts)):
                samples = self._counts[shard]
                if skip < samples:
                    rows = self._permuted(f"{self._source}/{shard}", passes, samples)
                    yield from (Slot(passes, shard, row) for row in rows[skip:])
                skip = max(0, skip - samples)

    def part(self, cursor: Cursor, start: int, stop: int, size: int) -> Iterator[Slot]:
        """Of every `size` slots behind the cursor, those from number `start` to before `stop`."""
        mine = cycle([start <= number < stop for number in range(size)])
        return (slot for slot, taken in zip(self.slots(cursor), mine) if taken)

    def after(self, cursor: Cursor, samples: int) -> Cursor:
        """Where the source stands when as many more have been taken."""
        passes, position = divmod(cursor.position + samples, self.samples)
        return Cursor(cursor.passes + passes, position)

    def _permuted(self, name: str, passes: int, size: int) -> list[int]:
        return ViewRng(self._seed, name, passes, "order").permutation(size).tolist()


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
class Share:
    """How one source's mini-batch is spread over the ranks."""

    by_rank: tuple[int, ...]
    """Samples of each rank; they differ by at most one."""

    @property
    def size(self) -> int:
        """Samples of all ranks together."""
        return sum(self.by_rank)

    def part(self, rank: int) -> float:
        """A rank's part of the whole, 0..1."""
        return self.by_rank[rank] / self.size

    def bounds(self, rank: int) -> tuple[int, int]:
        """First and last + 1 of a rank's samples within the mini-batch."""
        start = sum(self.by_rank[:rank])
        return start, start + self.by_rank[rank]


def spread(sizes: dict[str, int], ranks: int) -> dict[str, Share]:
    """Each source's share. What one source leaves over goes to the ranks that the one before it
    passed by, so that the ranks' totals differ by at most one too."""
    firsts = accumulate(sizes.values(), initial=0)
    return {
        source: Share(tuple(_of_rank(rank, first, size, ranks) for rank in range(ranks)))
        for (source, size), first in zip(sizes.items(), firsts)
    }


def _of_rank(rank: int, first: int, size: int, ranks: int) -> int:
    """How many of the numbers first..first+size-1 fall on a rank when dealt round."""
    return len(range((rank - first) % ranks, size, ranks))

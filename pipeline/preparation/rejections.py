"""What could not be used: rejected.jsonl, and when there is too much of it."""

import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UserError
from pipeline.preparation.shard_task import ShardDone

REJECTED = "rejected.jsonl"


def too_many(rejected: int, total: int, limit: float) -> bool:
    """Whether so many of the samples of a split are more than its source allows, or all."""
    return rejected > limit * total or rejected == total


def write_rejected(folder: Path, done: Sequence[ShardDone]) -> None:
    """Write rejected.jsonl, a line for each, in the order of the listing."""
    entries = (entry for shard in done for entry in shard.rejected)
    lines = "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in entries)
    (folder / REJECTED).write_text(lines)


def refusal(
    folder: Path, final: Path, done: Sequence[ShardDone], total: int, limit: float
) -> UserError:
    """Of a split with too many of them; the split may not have been read to its end."""
    rejected = [entry for shard in done for entry in shard.rejected]
    read = sum(shard.candidates for shard in done)
    so_far = "" if read == total else f" among the first {read} that were read"
    return UserError(
        f"{folder}/{REJECTED}: {len(rejected)} of {total} samples are unreadable{so_far}, "
        f"max_rejected is {limit}; first: {rejected[0]['key']}: {rejected[0]['reason']}; "
        f"mend the raw data or raise max_rejected ({final} was left as it was)"
    )

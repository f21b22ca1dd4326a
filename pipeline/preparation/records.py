"""What is finished of a split that is not: a record beside each tar, for the run that resumes.

Tars stand in the folder of a split in the making, their records in a folder in there. A record
counts where it is of the same recipe over the same raw data and its tar is whole.
"""

from dataclasses import asdict
from pathlib import Path

import msgspec

from pipeline.atomic import write_atomically
from pipeline.locations import is_remote, make_folder, remove
from pipeline.preparation.shard_task import ShardDone, ShardTask
from pipeline.shards import ROWS, ShardInfo, file_hash

RECORDS = "finished"


class _Record(msgspec.Struct):
    identity: str
    done: ShardDone


class Records:
    """The records in the folder of a split in the making."""

    def __init__(self, folder: Path, identity: str) -> None:
        """`identity` covers all that determines the tars."""
        self._folder, self._identity = folder, identity

    def read(self, task: ShardTask) -> ShardDone | None:
        """What an earlier run finished of a task; None where nothing is, or not by this recipe."""
        try:
            record = msgspec.json.decode(self._path(task).read_bytes(), type=_Record)
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        shard = record.done.shard
        if record.identity != self._identity or (shard and not _is_whole(self._folder, shard)):
            return None
        record.done.resumed = True
        return record.done

    def write(self, task: ShardTask, done: ShardDone) -> None:
        """Say that a task is finished; the tar is there."""
        make_folder(self._folder / RECORDS)
        record = {"identity": self._identity, "done": asdict(done)}
        write_atomically(self._path(task), msgspec.json.encode(record))

    def forget(self, task: ShardTask) -> None:
        """Have a task done again by the next run."""
        remove(self._path(task))

    def remove(self) -> None:
        """Take all of them away."""
        remove(self._folder / RECORDS)

    def _path(self, task: ShardTask) -> Path:
        return self._folder / RECORDS / f"{task.tar}.json"


def _is_whole(folder: Path, shard: ShardInfo) -> bool:
    """Whether a tar and its rows have their content; behind a URL, where objects are put whole,
    whether they are there, the tar with its size."""
    path, rows = folder / shard.name, folder / (shard.name + ROWS)
    if not (path.is_file() and rows.is_file()) or path.stat().st_size != shard.bytes:
        return False
    whole = (shard.xxh3, shard.rows_xxh3)
    return is_remote(path) or (file_hash(path), file_hash(rows)) == whole

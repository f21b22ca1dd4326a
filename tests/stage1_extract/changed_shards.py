"""Shards of the tiny world, found, changed and read back as a store."""

from collections.abc import Callable
from pathlib import Path

from pipeline.shards import ShardInfo, read_index, read_shard, write_index, write_shard
from pipeline.store import FeatureStore
from stage1_extract.extraction import Extraction


def opened(done: Extraction) -> FeatureStore:
    return FeatureStore(done.path, done.index, done.provenance.determines)


def set_aside(done: Extraction) -> Path:
    """The one store of another recipe that lies beside an extraction's."""
    (path,) = done.path.parent.glob(".*.zarr")
    return path


def train_folder(root: Path) -> Path:
    return root / "shards" / "objects" / "train"


def rewrite(root: Path, shard: int, change: Callable[[list], list]) -> ShardInfo:
    """Change a tar's samples and put the index right, as a new preparation would."""
    folder = train_folder(root)
    index = read_index(folder)
    samples = change(list(read_shard(folder, index.shards[shard])))
    index.shards[shard] = write_shard(folder / index.shards[shard].name, samples)
    write_index(folder, index)
    return index.shards[shard]

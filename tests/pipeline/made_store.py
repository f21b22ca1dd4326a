"""A small store of made numbers: three tars of 6, 6 and 4 rows, two views, five features."""

from pathlib import Path

import numpy as np

from pipeline.shards import FORMAT, ShardIndex, ShardInfo
from pipeline.store import Provenance, ShardFeatures, StoreWriter, store_path

VIEWS, DIM, ROWS = 2, 5, 6
CLASSES = ["ball", "stick", "sphère"]


def made_index(counts: tuple[int, ...] = (6, 6, 4), edition: str = "a") -> ShardIndex:
    """`edition` stands for the tars' content: another one, other hashes."""
    shards = [
        ShardInfo(name=f"{n:06d}.tar", count=count, bytes=1, xxh3=f"{edition}{n}")
        for n, count in enumerate(counts)
    ]
    return ShardIndex(
        format=FORMAT, dataset="objects", split="train", modality="points", classes=CLASSES,
        captions=[], licence="none", recipe={}, samples_per_shard=ROWS, shards=shards,
    )  # fmt: skip


def made_provenance(dtype: str = "float16", **changes: object) -> Provenance:
    determines = {
        "teacher": {"name": "made", "weights_sha256": "0" * 64}, "views": {"seed": 5},
        "text": {"prompts": "photo", "features": True},
        "storage": {"dtype": dtype, "rows_per_shard": ROWS, "dim": DIM},
    }  # fmt: skip
    return Provenance(determines={**determines, **changes}, notes={"licence": "none"})


def made_features(
    index: ShardIndex, shard: int, views: int = VIEWS, block: int = 0
) -> ShardFeatures:
    count = index.shards[shard].count
    rng = np.random.default_rng([shard, views, block])
    keys = np.random.default_rng(shard).integers(0, 2**64, count, dtype=np.uint64)
    digests = rng.integers(0, 2**64, (2, count, views), dtype=np.uint64)
    return ShardFeatures(
        features=rng.normal(size=(count, views, DIM)).astype(np.float16),
        params_digest=digests[0],
        view_digest=digests[1],
        key_hash=keys,
        failed=[],
    )


def made_text() -> np.ndarray:
    return np.random.default_rng(9).normal(size=(len(CLASSES), DIM)).astype(np.float32)


def open_writer(
    root: Path, index: ShardIndex, provenance: Provenance | None = None, views: int = VIEWS
) -> StoreWriter:
    path = store_path(root, "made", "objects", "train")
    return StoreWriter(path, provenance or made_provenance(), index, views)


def fill(writer: StoreWriter) -> list[int]:
    """Write what is pending; say which tars that were."""
    pending = writer.pending()
    for shard, block in pending:
        data = made_features(writer.index, shard, writer.layout.views, block)
        writer.write(shard, data, block)
    if not writer.has_text():
        writer.write_text(made_text())
    return [shard for shard, _ in pending]


def made_store(root: Path, index: ShardIndex | None = None) -> Path:
    writer = open_writer(root, index or made_index())
    fill(writer)
    return writer.path


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its content; but for how long it took."""
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(".timing.json"))
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}

"""The feature store: a teacher's features over the views of one dataset split, provably intact."""

from pipeline.lock import exclusive
from pipeline.store.codec import without_unstorable
from pipeline.store.layout import store_path
from pipeline.store.provenance import Provenance
from pipeline.store.reader import FeatureStore, PickedRows, Plane
from pipeline.store.shard_writer import ShardFeatures, ShardWriter
from pipeline.store.writer import StoreWriter

__all__ = [
    "FeatureStore",
    "PickedRows",
    "Plane",
    "Provenance",
    "ShardFeatures",
    "ShardWriter",
    "StoreWriter",
    "exclusive",
    "store_path",
    "without_unstorable",
]

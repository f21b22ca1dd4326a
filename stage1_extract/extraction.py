"""The extraction loop: tar -> decoded once -> K views -> teacher -> one shard of the store."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.config import Params
from pipeline.prefetch import prefetched_map
from pipeline.prompts import class_embeddings, templates
from pipeline.samples import UnreadableSample, decode_member
from pipeline.shards import ShardIndex, read_index, read_shard, verify_shard
from pipeline.store import Provenance, ShardFeatures, StoreWriter, store_path
from pipeline.store.recipe import architecture, store_recipe
from pipeline.views import ViewMaker, chain_for
from pipeline.views.digest import key_digest, params_digest
from stage1_extract.progress import ExtractionProgress
from stage1_extract.teachers.protocol import Teacher

FLOAT16_MAX = float(np.finfo(np.float16).max)
LOOKAHEAD = 64
"""Samples decoded ahead of the teacher."""
DECODING_THREADS = 2


@dataclass(frozen=True)
class PreparedSample:
    """All K views of one sample, ready for the teacher."""

    key: str
    inputs: Tensor | None
    """[K, ...] teacher inputs; None if the sample could not be used."""
    params_digest: list[int]
    view_digest: list[int]


class Extraction:
    """One teacher over one source's training split."""

    def __init__(self, params: Params, name: str, teacher: Teacher) -> None:
        config = params.extract[name]
        source = params.sources[config.source]
        self.teacher = teacher
        self.batch_size = params.teachers[config.teacher].batch_size
        self.views = params.views.count
        self.folder = Path(params.shards) / config.source / "train"
        self.index: ShardIndex = read_index(self.folder)
        self.maker = ViewMaker(
            chain_for(source.modality, teacher.modality), params.seed, params.views
        )
        self.prompts = templates(source.prompts)
        self.path = store_path(params.cache, config.teacher, config.source, "train")
        self._notes = teacher.provenance
        known = store_recipe(
            _determining(teacher, self._notes), self.maker, self.index, source.prompts
        )
        self.recipe = {
            **known,
            "text": {**known["text"], "features": teacher.text_space is not None},
            "storage": {**known["storage"], "views": self.views, "dim": teacher.dim},
        }

    @cached_property
    def writer(self) -> StoreWriter:
        """The store, created, resumed or taken up again when first asked for."""
        notes = {**self._notes, "versions": _versions()}
        provenance = Provenance(determines=self.recipe, notes=notes)
        return StoreWriter(
            self.path, provenance, self.index, views=self.views, dim=self.teacher.dim
        )

    def run(self, progress: ExtractionProgress) -> list[str]:
        """Extract what is missing; return the keys of the samples that could not be used."""
        self._write_text()
        pending = self.writer.pending()
        progress.start(self.index, pending)
        failed: list[str] = []
        with ThreadPoolExecutor(DECODING_THREADS) as threads:
            samples = prefetched_map(threads, self._prepare, self._members(pending), LOOKAHEAD)
            for shard in pending:
                group = list(islice(samples, self.index.shards[shard].count))
                features = self._encode(group, progress)
                self.writer.write(shard, features)
                failed += features.failed
                progress.shard_written(features.features.nbytes)
        return failed

    def _members(self, pending: list[int]) -> Iterator[tuple[str, dict[str, bytes]]]:
        for shard in pending:
            info = self.index.shards[shard]
            verify_shard(self.folder, info)  # its hash will stand in the marker
            yield from read_shard(self.folder, info)

    def _prepare(self, sample: tuple[str, dict[str, bytes]]) -> PreparedSample:
        """Decode once, make every view, and let the teacher preprocess it."""
        key, members = sample
        try:
            decoded = decode_member(members, self.maker.chain.member)
            views = self.maker.views(decoded, key, range(self.views))
        except UnreadableSample:
            drawn = [self.maker.params(key, view) for view in range(self.views)]
            digests = [params_digest(key, view, params) for view, params in enumerate(drawn)]
            return PreparedSample(key, None, digests, [0] * self.views)
        return PreparedSample(
            key,
            torch.stack([self.teacher.preprocess(view.array) for view in views]),
            [view.params_digest for view in views],
            [view.content_digest for view in views],
        )

    def _encode(self, samples: list[PreparedSample], progress: ExtractionProgress) -> ShardFeatures:
        """Encode one tar in batches that depend on the tar alone, so that a re-run repeats them."""
        features = np.full((len(samples), self.views, self.teacher.dim), np.nan, dtype=np.float16)
        usable = [row for row, sample in enumerate(samples) if sample.inputs is not None]
        rows_per_batch = max(1, self.batch_size // self.views)
        for start in range(0, len(usable), rows_per_batch):
            rows = usable[start : start + rows_per_batch]
            batch = torch.cat([_present(samples[row].inputs) for row in rows])
            encoded = self.teacher.encode(batch).cpu().numpy()
            features[rows] = _as_float16(encoded).reshape(len(rows), self.views, -1)
            progress.samples_done(len(rows))
        bad = np.isnan(features).any(axis=(1, 2))
        features[bad] = np.nan
        return ShardFeatures(
            features=features,
            params_digest=np.array([s.params_digest for s in samples], dtype=np.uint64),
            view_digest=np.array([s.view_digest for s in samples], dtype=np.uint64),
            key_hash=np.array([key_digest(s.key) for s in samples], dtype=np.uint64),
            failed=[samples[row].key for row in np.flatnonzero(bad)],
        )

    def _write_text(self) -> None:
        wanted = self.index.classes and self.teacher.text_space is not None
        if not wanted or self.writer.has_text():
            return
        text = class_embeddings(self._encode_text, self.index.classes, self.prompts)
        self.writer.write_text(text.cpu().numpy())

    def _encode_text(self, prompts: Sequence[str]) -> Tensor:
        return _present(self.teacher.encode_text(prompts))


def _determining(teacher: Teacher, provenance: Mapping[str, str]) -> dict[str, str]:
    """The part of a teacher's provenance that its numbers depend on."""
    return {
        "name": teacher.name,
        **architecture(teacher.arch),
        "modality": teacher.modality,
        "weights_sha256": provenance["weights_sha256"],
        "preprocessing": provenance["preprocessing"],
    }


def _versions() -> dict[str, str]:
    """Library versions, for the record."""
    return {name: version(name) for name in ("torch", "torchvision", "pillow", "numpy", "zarr")}


def _present(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    return tensor


def _as_float16(features: np.ndarray) -> np.ndarray:
    """Float16, with NaN in place of what float16 cannot hold: an overflow is a failed sample."""
    return np.where(np.abs(features) <= FLOAT16_MAX, features, np.nan).astype(np.float16)

"""The project's stream over a made world, for `benchmarks.stream`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.cache_contest import made_index, provenance
from benchmarks.stream_peers import BATCH, Batch, Sample
from pipeline import rows
from pipeline.config import ViewsConfig, load_params
from pipeline.samples import decode_member
from pipeline.shards import ShardInfo, write_index, write_shard
from pipeline.store import FeatureStore, ShardFeatures, StoreWriter
from pipeline.views import Chain, ViewMaker, chain_for
from pipeline.views.digest import key_digest
from stage2_train.stream import join
from stage2_train.stream.order import Cursor, split_over_ranks
from stage2_train.stream.targets import TeacherTargets
from stage2_train.stream.texts import TextTable

SOURCE, TAR = "renders", 128
_CROP = chain_for("points", "image")
UNDECODED = Chain(
    member="image",
    stream="",
    description="the member's own bytes",
    sample=lambda rng, sizes: _CROP.evaluation,
    evaluation=_CROP.evaluation,
    apply=lambda data, params, sizes: data,
    sizes=(),
)


@dataclass
class Ours:
    """Tars and a store, digests of every view and row checked."""

    decodes: bool
    name: str = "ours, every digest checked"

    def __post_init__(self) -> None:
        self.maker = ViewMaker(_CROP if self.decodes else UNDECODED, 0, ViewsConfig(count=1))
        self.params = load_params("params.yaml")

    def write(self, folder: Path, samples: Sequence[Sample]) -> None:
        """Through the writers of the preparation and of stage 1."""
        split, infos = folder / SOURCE / "train", list[ShardInfo]()
        split.mkdir(parents=True)
        tars = [samples[first : first + TAR] for first in range(0, len(samples), TAR)]
        for number, tar in enumerate(tars):
            members = [(s.key, {"image.jpg": s.data, "meta.json": _META}) for s in tar]
            infos.append(write_shard(split / f"{number:06}.tar", members))
        index = made_index(len(infos), TAR, infos)
        write_index(split, replace(index, classes=["thing"]))
        recipe = provenance(TAR, len(samples[0].row), "float16")
        writer = StoreWriter(folder / "made.zarr", recipe, index, views=1)
        for number, tar in enumerate(tars):
            writer.write(number, self._features(tar))

    def batches(self, folder: Path, skip: int = 0) -> Iterator[Batch]:
        """One pass, from sample `skip` on."""
        with patch.object(join, "decode_member", self._decoded):
            source = self._stream(folder)
            for first in range(skip, source.order.samples, BATCH):
                numbers = range(min(BATCH, source.order.samples - first))
                batch = source(join.Draw(SOURCE, Cursor(position=first), numbers))
                yield batch.inputs[0], batch.targets["made"]

    def read_bytes(self, folder: Path, ranks: int) -> int:
        """Bytes of the tars that all ranks together read in one pass."""
        count, read = 0, rows.os.pread

        def counted(file: int, size: int, start: int) -> bytes:
            nonlocal count
            found = read(file, size, start)
            count += len(found)
            return found

        split = split_over_ranks({SOURCE: BATCH}, ranks)[SOURCE]
        with patch.object(rows.os, "pread", counted):
            for rank in range(ranks):
                source = self._stream(folder)
                for first in range(0, source.order.samples, BATCH):
                    slots = source.order.slots(Cursor(position=first), split.numbers(rank))
                    list(source._read(slots))
        return count

    def _stream(self, folder: Path) -> join.SourceStream:
        """Today's way to a source's mini-batches."""
        params = replace(self.params, shards=str(folder))
        index = join.read_index(folder / SOURCE / "train")
        store = FeatureStore(folder / "made.zarr", index)
        targets = [TeacherTargets("made", {"name": "made"}, store, self.maker)]
        texts = TextTable(torch.zeros(1, 1), {SOURCE: 0}, {SOURCE: 1}, {})
        made = join.SourceStream(params, SOURCE, targets, texts)
        made._maker = self.maker
        return made

    def _decoded(self, members: dict[str, bytes], member: str) -> object:
        if self.decodes:
            return decode_member(members, member)
        return np.frombuffer(members["image.jpg"], np.uint8)

    def _features(self, tar: Sequence[Sample]) -> ShardFeatures:
        members = [{"image.jpg": sample.data} for sample in tar]
        views = [
            self.maker(self._decoded(each, "image"), sample.key, 0)
            for each, sample in zip(members, tar)
        ]
        return ShardFeatures(
            features=np.stack([sample.row for sample in tar])[:, None],
            params_digest=np.array([[view.params_digest] for view in views], np.uint64),
            view_digest=np.array([[view.content_digest] for view in views], np.uint64),
            key_hash=np.array([key_digest(sample.key) for sample in tar], np.uint64),
            failed=[],
        )


_META = json.dumps({"labels": [0]}).encode()

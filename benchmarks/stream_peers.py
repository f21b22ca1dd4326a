"""Streams of other projects, installed, each used as its own documentation says.

    pip install "unialign[bench]"

Each keeps a sample's bytes beside its cached row and gives one shuffled pass in batches, without
worker processes. None compares what it reads with a digest, but for ArrayRecord's own checksums.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from benchmarks.view_peers import cropped_image

BATCH = 64
Batch = tuple[Tensor, Tensor]
"""Uint8 [B, ...] and float32 [B, dim]."""


@dataclass(frozen=True)
class Sample:
    """What every side keeps."""

    key: str
    data: bytes
    row: np.ndarray
    """Float16 [dim]."""


class Stream(Protocol):
    """A way to keep samples and stream them."""

    name: str

    def write(self, folder: Path, samples: Sequence[Sample]) -> None:
        """Keep them in an empty folder."""

    def batches(self, folder: Path, skip: int = 0) -> Iterator[Batch]:
        """One shuffled pass, from sample `skip` on."""


def ready(decodes: bool, data: bytes) -> Tensor:
    """A sample's tensor: cropped to 224 with torchvision, or its bytes as they are."""
    if decodes:
        return torch.as_tensor(np.asarray(cropped_image({"image.jpg": data})))
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def batched(decodes: bool, samples: Iterator[tuple[bytes, np.ndarray]]) -> Iterator[Batch]:
    """Stacked tensors of samples that come one by one."""
    while chunk := list(islice(samples, BATCH)):
        rows = [torch.from_numpy(np.asarray(row, np.float32)) for _, row in chunk]
        yield torch.stack([ready(decodes, data) for data, _ in chunk]), torch.stack(rows)


@dataclass
class WebDataset:
    """Tars; resuming walks to the place."""

    decodes: bool
    name: str = "webdataset"

    def write(self, folder: Path, samples: Sequence[Sample]) -> None:
        """128 samples a tar."""
        import webdataset as wds

        with wds.ShardWriter(f"{folder}/%06d.tar", maxcount=128, verbose=0) as writer:
            for sample in samples:
                row = sample.row.tobytes()
                writer.write({"__key__": sample.key, "jpg": sample.data, "row": row})

    def batches(self, folder: Path, skip: int = 0) -> Iterator[Batch]:
        """Tars in a random order, a buffer of 256."""
        import webdataset as wds

        tars = sorted(map(str, folder.glob("*.tar")))
        found = wds.WebDataset(tars, shardshuffle=len(tars), seed=0).shuffle(256)
        pairs = ((s["jpg"], np.frombuffer(s["row"], np.float16)) for s in found)
        return batched(self.decodes, islice(pairs, skip, None))


@dataclass
class Mosaic:
    """MosaicML Streaming's MDS."""

    decodes: bool
    name: str = "MosaicML Streaming"

    def write(self, folder: Path, samples: Sequence[Sample]) -> None:
        """Its default of 64 MB a shard."""
        from streaming import MDSWriter

        columns = {"data": "bytes", "row": f"ndarray:float16:{len(samples[0].row)}"}
        with MDSWriter(out=str(folder), columns=columns) as writer:
            for sample in samples:
                writer.write({"data": sample.data, "row": sample.row})

    def batches(self, folder: Path, skip: int = 0) -> Iterator[Batch]:
        """Its own shuffle and resumption."""
        from streaming import StreamingDataset
        from streaming.base.util import clean_stale_shared_memory

        clean_stale_shared_memory()
        found = StreamingDataset(local=str(folder), shuffle=True, batch_size=BATCH)
        if skip:
            found.load_state_dict(found.state_dict(skip, from_beginning=True))
        return batched(self.decodes, ((s["data"], s["row"]) for s in found))


@dataclass
class LitData:
    """Optimized chunks of 64 MB."""

    decodes: bool
    name: str = "litdata"

    def write(self, folder: Path, samples: Sequence[Sample]) -> None:
        """Through its chunk writer."""
        from litdata.streaming import Cache

        cache = Cache(str(folder), chunk_bytes="64MB")
        for number, sample in enumerate(samples):
            cache[number] = {"data": sample.data, "row": sample.row}
        cache.done()
        cache.merge()

    def batches(self, folder: Path, skip: int = 0) -> Iterator[Batch]:
        """Its own shuffle; it resumes through its loader's state."""
        from litdata import StreamingDataLoader, StreamingDataset

        loader = StreamingDataLoader(
            StreamingDataset(str(folder), shuffle=True),
            batch_size=BATCH, collate_fn=lambda samples: samples,
        )  # fmt: skip
        if skip:
            loader.load_state_dict(self._state(skip, loader))
        found = ((s["data"], s["row"]) for batch in loader for s in batch)
        return batched(self.decodes, found)

    def _state(self, skip: int, loader: Any) -> dict[str, Any]:
        dataset = loader.dataset.state_dict(
            num_samples_yielded=skip, num_workers=0, batch_size=BATCH
        )
        state = {"dataset": dataset, "current_epoch": 1, "latest_worker_idx": 0}
        return state | {"num_samples_yielded": skip}


@dataclass
class Lance:
    """Rows of a Lance dataset, taken in a permuted order."""

    decodes: bool
    name: str = "lance take"

    def write(self, folder: Path, samples: Sequence[Sample]) -> None:
        """One table."""
        import lance
        import pyarrow as pa

        rows = pa.FixedSizeListArray.from_arrays(
            np.concatenate([s.row for s in samples]), len(samples[0].row)
        )
        table = pa.table({"data": pa.array([s.data for s in samples], pa.binary()), "row": rows})
        lance.write_dataset(table, str(folder / "made.lance"))

    def batches(self, folder: Path, skip: int = 0) -> Iterator[Batch]:
        """256 rows a take."""
        import lance

        found = lance.dataset(str(folder / "made.lance"))
        order = np.random.default_rng(0).permutation(found.count_rows())[skip:]
        return batched(self.decodes, self._taken(found, order))

    def _taken(self, found: Any, order: np.ndarray) -> Iterator[tuple[bytes, np.ndarray]]:
        for first in range(0, len(order), 256):
            table = found.take(order[first : first + 256].tolist()).combine_chunks()
            rows = table["row"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
            for data, row in zip(table["data"], rows):
                yield data.as_py(), row


@dataclass
class Grain:
    """ArrayRecord, whose chunks carry checksums, through grain."""

    decodes: bool
    name: str = "grain (ArrayRecord)"

    def write(self, folder: Path, samples: Sequence[Sample]) -> None:
        """A record a sample: its row's bytes, then its own."""
        from array_record.python.array_record_module import ArrayRecordWriter

        self.width = len(samples[0].row)
        writer = ArrayRecordWriter(str(folder / "made.arrayrecord"), "group_size:1,uncompressed")
        for sample in samples:
            writer.write(sample.row.tobytes() + sample.data)
        writer.close()

    def batches(self, folder: Path, skip: int = 0) -> Iterator[Batch]:
        """Its own global shuffle; a slice resumes."""
        import grain

        source = grain.sources.ArrayRecordDataSource(str(folder / "made.arrayrecord"))
        found = grain.MapDataset.source(source).shuffle(seed=0)[skip:]
        size = 2 * self.width
        records = (found[place] for place in range(len(found)))
        pairs = ((record[size:], np.frombuffer(record[:size], np.float16)) for record in records)
        return batched(self.decodes, pairs)


PEERS: tuple[Callable[[bool], Stream], ...] = (WebDataset, Mosaic, LitData, Lance, Grain)

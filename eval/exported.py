"""Files, or the samples of a prepared split, as `Embeddings` of a student."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eval.embeddings import Embeddings
from pipeline.config import load_params
from pipeline.decoding.depth import DepthSensor
from pipeline.errors import UnreadableSample, UserError
from pipeline.locations import path_or_url
from pipeline.progress import ProgressLine
from pipeline.samples import decode_member, decode_text
from pipeline.shards import ShardIndex, read_index, read_shard
from pipeline.unknown_name import unknown_name
from pipeline.weights import file_sha256
from stage2_train.student import Student
from stage2_train.student.files import BATCH
from stage2_train.student.hub import is_hub_address, student_folder
from stage2_train.student.portable import TENSORS


def depth_sensor(baseline: float | None, fx: float | None, encoding: str) -> DepthSensor | None:
    """The sensor of the command line; None where neither of its numbers is given.

    Raises:
        UserError: one that cannot be.
    """
    if baseline is None and fx is None:
        return None
    numbers: dict[str, Any] = {"baseline": baseline, "fx": fx}
    try:
        return DepthSensor(**numbers, encoding=encoding)
    except ValueError as error:
        raise UserError(f"--{error}; give --baseline METRES and --fx PIXELS") from None


def exported_files(
    student: Student,
    ckpt: str,
    paths: list[Path],
    modality: str | None,
    sensor: DepthSensor | None,
) -> Embeddings:
    """Files by `Student.encode_files`; those that fail are in `failed`."""
    found = student.encode_files(paths, modality=modality, depth=sensor)
    kept = [row for row, name in enumerate(found.modalities) if name is not None]
    return Embeddings(
        vectors=found.embeddings[kept].numpy(),
        key=[str(found.files[row]) for row in kept],
        modality=[str(found.modalities[row]) for row in kept],
        label=[""] * len(kept),
        failed={str(path): why for path, why in found.failed.items()},
        **identified(ckpt),
    )


def exported_source(
    student: Student, ckpt: str, params_file: str, source: str, split: str
) -> Embeddings:
    """All samples of a split, labelled or not, in the order of its tars.

    Raises:
        UserError: an unknown source or split, one that is not prepared, or a modality that the
            student does not have.
    """
    params = load_params(params_file)
    if source not in params.sources:
        raise unknown_name("source", source, params.sources)
    if split not in params.sources[source].splits:
        raise unknown_name(f"split of {source}", split, params.sources[source].splits)
    folder = path_or_url(params.shards) / source / split
    index = read_index(folder)
    samples = _EncodedSamples(student, index)
    with ProgressLine("sample") as progress:
        progress.begin(index.samples)
        for number, (key, members) in enumerate(_samples(folder, index), 1):
            samples.add(key, members)
            progress.update(number, key)
    return Embeddings(
        vectors=samples.vectors(),
        key=samples.keys,
        modality=[index.modality] * len(samples.keys),
        label=samples.labels,
        failed=samples.failed,
        **identified(ckpt),
    )


def identified(ckpt: str) -> dict[str, str]:
    """Where a student lies, and the hash of its tensors."""
    where = ckpt if is_hub_address(ckpt) else str(Path(ckpt).absolute())
    return {"student": where, "sha256": file_sha256(student_folder(ckpt) / TENSORS)}


class _EncodedSamples:
    """Keys, labels and embeddings of the samples that can be read."""

    def __init__(self, student: Student, index: ShardIndex) -> None:
        self._student, self._index = student, index
        self._transform = student.transform(index.modality)
        self._inputs: list[Tensor] = []
        self._encoded: list[Tensor] = []
        self.keys: list[str] = []
        self.labels: list[str] = []
        self.failed: dict[str, str] = {}

    def add(self, key: str, members: dict[str, bytes]) -> None:
        """Make a sample's input, and encode as soon as there are enough for a batch."""
        try:
            label = self._label(members)
            self._inputs.append(self._transform(decode_member(members, self._index.modality)))
        except UnreadableSample as error:
            self.failed[key] = str(error)
            return
        self.keys.append(key)
        self.labels.append(label)
        if len(self._inputs) == BATCH:
            self._encode()

    def vectors(self) -> np.ndarray:
        """Float32 [samples, dim]."""
        if self._inputs:
            self._encode()
        dim = self._student.openclip.embed_dim
        return torch.cat([torch.empty(0, dim), *self._encoded]).numpy()

    def _encode(self) -> None:
        batch = torch.stack(self._inputs)
        self._encoded.append(self._student.encode(self._index.modality, batch).cpu())
        self._inputs = []

    def _label(self, members: dict[str, bytes]) -> str:
        names = dict(enumerate(self._index.classes))
        return ", ".join(names.get(label, str(label)) for label in decode_text(members).labels)


def _samples(folder: Path, index: ShardIndex) -> Iterator[tuple[str, dict[str, bytes]]]:
    for shard in index.shards:
        yield from read_shard(folder, shard)

"""From media files to embeddings: modality by content, evaluation view, batches of a modality."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.config.data import ViewsConfig
from pipeline.config.student import StudentConfig
from pipeline.decoding.depth import DepthSensor
from pipeline.errors import UnreadableSample, UserError
from pipeline.media_file import MediaFile, read_media
from pipeline.progress import ProgressLine
from pipeline.unknown_name import unknown_name
from pipeline.views import EVALUATION, ViewMaker, chain_for
from stage2_train.student.inputs import encodable

BATCH = 64
"""Samples of one modality that are encoded together."""
LONG = 100
"""Files from which on the progress is shown."""


@dataclass(frozen=True)
class EncodedFiles:
    """Files and what a student makes of them, row by row."""

    embeddings: Tensor
    """Float32 [files, embed_dim] on the CPU; NaN for a file that failed."""
    files: tuple[Path, ...]
    """As they were given."""
    modalities: tuple[str | None, ...]
    """What each was encoded as; None where it failed."""
    failed: dict[Path, str]
    """File -> why it could not be encoded."""


@dataclass(frozen=True)
class InputTransform:
    """From one file to its part of a batch for `Student.encode`; goes to other processes.

    Of an image uint8 [3, S, S], of a clip uint8 [T, 3, S, S], of a cloud float32 [P, 3], of a depth
    map float32 [1, S, S], of a sound its spectrogram float32 [frames, 128].
    """

    modality: str
    config: StudentConfig
    maker: ViewMaker
    depth: DepthSensor | None = None
    """Sensor of every depth map; None where a JSON beside each says it."""

    def __call__(self, sample: Any) -> Tensor:
        """The input of a path, of bytes, or of what `pipeline.samples.decode_member` gives.

        Raises:
            UnreadableSample: the file is missing, damaged, or of another modality.
        """
        if isinstance(sample, bytes):
            sample = MediaFile(self.modality, sample)
        elif isinstance(sample, str | Path):
            sample = read_media(Path(sample), self.modality)
        if isinstance(sample, MediaFile):
            sample = sample.decoded(self.depth)
        view = self.maker(sample, "", EVALUATION).array
        return encodable(self.modality, view, self.config)


def input_transform(
    modality: str,
    config: StudentConfig,
    views: ViewsConfig | None,
    image_size: int,
    depth: DepthSensor | None,
) -> InputTransform:
    """See `Student.transform`.

    Args:
        modality: one of the config's.
        config: of the student.
        views: what it was trained on, where that is known.
        image_size: of its CLIP.
        depth: see `InputTransform`.
    """
    if modality not in config.modalities:
        raise unknown_name("modality", modality, config.modalities)
    chain = chain_for(modality, modality)
    sizes = views or _told_by_the_model(chain.sizes, config, image_size)
    return InputTransform(modality, config, ViewMaker(chain, 0, sizes), depth)


def _told_by_the_model(
    needed: Sequence[str], config: StudentConfig, image_size: int
) -> ViewsConfig:
    told: dict[str, Any] = {
        "image_size": image_size,
        "video_frames": config.video.frames,
        "audio_seconds": config.audio.seconds,
    }
    for size in needed:
        if size not in told:
            raise UserError(
                f"the student does not say views.{size}, on which its evaluation view depends: an "
                "older release wrote its folder; put the `views` of its params file into "
                "student.json, or train it again"
            )
    return ViewsConfig(**told)


class FileEncoder:
    """Encodes files as they come; those of each modality wait until they fill a batch.

    Args:
        encode: (modality, batch) -> float32 [batch, dim], as `Student.encode`.
        transform: of a modality, as `Student.transform`.
        modalities: what the student encodes.
        dim: of its embeddings.
    """

    def __init__(
        self,
        encode: Callable[[str, Tensor], Tensor],
        transform: Callable[[str], InputTransform],
        modalities: Sequence[str],
        dim: int,
    ) -> None:
        self._encode, self._transform = encode, cache(transform)
        self._modalities, self._dim = modalities, dim

    def __call__(self, paths: Sequence[Path], asked: str | None) -> EncodedFiles:
        """See `Student.encode_files`."""
        if not paths:
            raise UserError("no files to encode: expected at least one path")
        if asked is not None:
            self._transform(asked)
        self._rows = torch.full((len(paths), self._dim), torch.nan)
        self._waiting = dict[str, list[tuple[int, Tensor]]]()
        found: list[str | None] = [None] * len(paths)
        failed: dict[Path, str] = {}
        for row, path in _counted(paths):
            try:
                found[row] = self._add(row, path, asked)
            except UnreadableSample as error:
                failed[path] = str(error)
        for modality in list(self._waiting):
            self._encode_waiting(modality)
        return EncodedFiles(self._rows, tuple(paths), tuple(found), failed)

    def _add(self, row: int, path: Path, asked: str | None) -> str:
        media = read_media(path, asked)
        if media.modality not in self._modalities:
            known = ", ".join(self._modalities)
            raise UnreadableSample(f"{media.modality}, which this student of {known} cannot encode")
        waiting = self._waiting.setdefault(media.modality, [])
        waiting.append((row, self._transform(media.modality)(media)))
        if len(waiting) == BATCH:
            self._encode_waiting(media.modality)
        return media.modality

    def _encode_waiting(self, modality: str) -> None:
        waiting = self._waiting.pop(modality)
        if not waiting:
            return
        embeddings = self._encode(modality, torch.stack([made for _, made in waiting])).cpu()
        if not embeddings.isfinite().all():
            raise UserError(
                f"the student gives embeddings of {modality} that are not finite: its weights are "
                "damaged, or its training diverged; train it or copy it again"
            )
        self._rows[[row for row, _ in waiting]] = embeddings


def _counted(paths: Sequence[Path]) -> Iterator[tuple[int, Path]]:
    """Each with its number; of long lists the progress is shown."""
    if len(paths) < LONG:
        yield from enumerate(paths)
        return
    with ProgressLine("file") as progress:
        progress.begin(len(paths))
        for row, path in enumerate(paths):
            yield row, path
            progress.update(row + 1, path.name)

"""What is cached: sources, seeded views, teachers, and which teacher sees which source."""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pipeline.config.templates import Prompts, check_templates

Modality = Literal["image", "video", "points", "depth", "audio"]
OPTIONS: dict[str, tuple[tuple[Modality, ...], int, int]] = {
    "short_side": (("image", "video"), 16, 8192),
    "keyframe_every": (("video",), 1, 250),
    "sample_rate": (("audio",), 16000, 16000),
}
"""Option of a source -> modalities that have it, least and most."""


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """A dataset that `python -m pipeline.prepare --source NAME` turns into shards."""

    modality: Modality
    """What the student reads from it."""
    converter: str
    """File in pipeline/datasets/ that reads the official layout."""
    raw: str
    """Folder of the unchanged download."""
    splits: tuple[str, ...] = ("train",)
    """Splits to convert; only `train` is cached and trained on."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The converter's own, where it has some: see `Settings` in its file."""
    prompts: Prompts = "photo"
    """Templates that turn its label names into sentences: a name in pipeline/prompts.py, a list of
    templates with one {} each, or a text file with one a line, in prompts/, which DVC watches."""
    samples_per_shard: int = 1000
    """Samples in a tar; the last tar may be shorter."""
    max_rejected: float = 0.01
    """Share of unreadable samples above which the conversion stops with an error."""
    samples: int | dict[str, int] | None = None
    """Samples to expect, in place of the official split's number; one number is that of `train`, or
    of the only split. `stage1_extract.plan` counts on it before the preparation, which tells of
    another number, or refuses it where a benchmark's list is fixed."""
    short_side: int | None = None
    """Image, video: pixels to which a longer short side is reduced; default: as it is."""
    keyframe_every: int | None = None
    """Video: most frames from one keyframe to the next, so that a view decodes few beside those it
    takes; default: as they are."""
    sample_rate: int | None = None
    """Audio: Hz at which the first channel is stored, 16000 as views are; default: as it is."""

    def __post_init__(self) -> None:
        self._check_samples()
        if self.samples_per_shard < 1:
            raise ValueError(f"samples_per_shard must be >= 1, found {self.samples_per_shard}")
        if not 0 <= self.max_rejected <= 1:
            raise ValueError(f"max_rejected must be within 0..1, found {self.max_rejected}")
        self._check_options()
        if not isinstance(self.prompts, str):
            check_templates("prompts", self.prompts)

    def expected(self, split: str) -> int | None:
        """Samples that a split is said to have."""
        if isinstance(self.samples, dict):
            return self.samples.get(split)
        return self.samples if split == "train" or self.splits == (split,) else None

    def _check_samples(self) -> None:
        told = self.samples if isinstance(self.samples, dict) else {"": self.samples}
        for split, samples in told.items():
            if split and split not in self.splits:
                raise ValueError(f"samples.{split}: the splits are {', '.join(self.splits)}")
            if samples is not None and samples < 1:
                raise ValueError(f"samples must be >= 1, found {samples}")

    @property
    def options(self) -> dict[str, int]:
        """How its media are stored otherwise than they come; only what is set."""
        given = {name: getattr(self, name) for name in OPTIONS}
        return {name: value for name, value in given.items() if value is not None}

    def _check_options(self) -> None:
        for name, value in self.options.items():
            modalities, least, most = OPTIONS[name]
            if self.modality not in modalities:
                expected = " and ".join(modalities)
                raise ValueError(
                    f"{name} is an option of {expected} sources, and this one's modality is "
                    f"{self.modality}: leave it out"
                )
            if not least <= value <= most:
                expected = str(least) if least == most else f"within {least}..{most}"
                raise ValueError(f"{name} must be {expected}, found {value}")


@dataclass(frozen=True, kw_only=True)
class ViewsConfig:
    """The seeded views that teachers and student share. The chains are the supplement's Table 1."""

    count: int = 8
    """Views per sample, K; a source's pass p over its samples trains on view p mod K. A larger K
    appends to the stores that are there, in blocks of as many views as they were begun with."""
    image_size: int = 224
    """Side of the canonical view of images, video frames and depth maps in pixels."""
    video_frames: int = 8
    """Frames of the canonical clip (supplement 3.2)."""
    video_stride: int = 8
    """Frames of the video from one of them to the next (supplement 3.2)."""
    audio_seconds: float = 5.0
    """Length of the canonical waveform (supplement 3.2)."""
    points: int = 8192
    """Points of the canonical cloud."""
    check_content: bool = True
    """Recompute the view's content digest in stage 2, beside the always checked params digest."""

    def __post_init__(self) -> None:
        for name in ("count", "image_size", "video_frames", "video_stride", "points"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, found {getattr(self, name)}")
        if not 0.1 <= self.audio_seconds <= 60:
            raise ValueError(f"audio_seconds must be within 0.1..60, found {self.audio_seconds}")


class Model(NamedTuple):
    """What `load_teacher` takes."""

    arch: str
    weights: str | None
    sha256: str | None = None
    """What the weights' hash must be, where that is said."""


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """A frozen specialist model; see `python -m stage1_extract --list`."""

    arch: str | dict[Modality, str]
    """Architecture name, or the path of a file that describes one; of a teacher with a model for
    each modality, one for each modality of its sources."""
    weights: str | dict[Modality, str] | None = None
    """Path, `hf://repo/file` or open_clip tag; null where the arch brings its own."""
    sha256: str | dict[Modality, str] | None = None
    """SHA-256 of the weights, to pin a hub's file or to train where the weights are not: a store's
    provenance.json says it."""
    batch_size: int = 64
    """Views per forward pass of the extraction."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the forward pass: bfloat16 by autocast is faster on a GPU, and is another store."""
    store: Literal["float16", "int8"] = "float16"
    """How features are kept: int8 with a scale for each row takes half the bytes."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be >= 1, found {self.batch_size}")

    def model(self, modality: Modality) -> Model:
        """The model that runs over sources of a modality.

        Raises:
            ValueError: there is none.
        """
        arch = self.arch if isinstance(self.arch, str) else self.arch.get(modality)
        if arch is None:
            raise ValueError(f"arch has no entry for {modality}, only for {', '.join(self.arch)}")
        weights, sha256 = (
            each.get(modality) if isinstance(each, dict) else each
            for each in (self.weights, self.sha256)
        )
        return Model(arch, weights, sha256)


@dataclass(frozen=True, kw_only=True)
class ExtractionConfig:
    """One feature store: a teacher over a source."""

    teacher: str
    """Name in `teachers`."""
    source: str
    """Name in `sources`."""

"""The whole of params.yaml."""

from dataclasses import dataclass, field

from pipeline.config.data import ExtractionConfig, SourceConfig, TeacherConfig, ViewsConfig
from pipeline.config.evaluation import BenchmarkConfig
from pipeline.config.finetune import FinetuneConfig
from pipeline.config.student import StudentConfig
from pipeline.config.train import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Params:
    """Every setting of a run; `dvc.yaml` names the parts each stage depends on."""

    seed: int
    """Seed of views and shard order; another seed is another cache. First weights and the order of
    training have `train.seed`."""
    shards: str
    """Folder or fsspec URL of the WebDataset shards."""
    cache: str
    """Folder of the feature stores."""
    sources: dict[str, SourceConfig]
    """Datasets by name."""
    views: ViewsConfig
    """Seeded views."""
    teacher_files: str
    """Folder with a folder per teacher; `dvc repro` extracts again when one changes."""
    teachers: dict[str, TeacherConfig]
    """Frozen teachers by name."""
    extract: dict[str, ExtractionConfig]
    """Feature stores: which teacher runs over which source."""
    student: StudentConfig
    """The one encoder."""
    train: TrainConfig
    """Its training."""
    benchmarks: dict[str, BenchmarkConfig]
    """Its zero-shot benchmarks by name."""
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    """How it is trained further on labels."""

    def __post_init__(self) -> None:
        """Names that point nowhere are found here, before anything runs."""
        for name, store in self.extract.items():
            _known(f"extract.{name}.teacher", store.teacher, self.teachers)
            _known(f"extract.{name}.source", store.source, self.sources)
            self._has_split(f"extract.{name}", store.source, "train")
            self._has_model(f"extract.{name}", store.teacher, store.source)
        for extraction in self.train.teachers:
            _known("train.teachers", extraction, self.extract)
        for source in self.train.sources:
            _known("train.sources", source, self.sources)
            self._has_split("train.sources", source, "train")
        self._same_sizes()
        for name, benchmark in self.benchmarks.items():
            _known(f"benchmarks.{name}.source", benchmark.source, self.sources)
            _known(f"benchmarks.{name}.teacher", benchmark.teacher, self.teachers)
            self._has_split(f"benchmarks.{name}", benchmark.source, benchmark.split)
            self._has_model(f"benchmarks.{name}", benchmark.teacher, benchmark.source)
        if self.train.score_every is not None:
            self._can_be_scored()

    @property
    def untrained(self) -> list[str]:
        """Modalities of the student that no source of its training has: they would be saved as they
        were drawn. A recipe that trains nothing, to extract or to score with, may have some."""
        trained = {self.sources[source].modality for source in self.train.sources}
        return [modality for modality in self.student.modalities if modality not in trained]

    def _can_be_scored(self) -> None:
        if not self.benchmarks:
            raise ValueError("train.score_every needs benchmarks, found none")
        for name, benchmark in self.benchmarks.items():
            modality = self.sources[benchmark.source].modality
            if modality not in self.student.modalities:
                raise ValueError(
                    f"train.score_every scores benchmark '{name}' of {modality}, which "
                    f"student.modalities has not; leave that benchmark out"
                )

    def _same_sizes(self) -> None:
        """The student's positions fit views of one length only."""
        for modality, mine, theirs in (
            ("video", "video.frames", "video_frames"),
            ("audio", "audio.seconds", "audio_seconds"),
        ):
            config, field = mine.split(".")
            there = getattr(getattr(self.student, config), field), getattr(self.views, theirs)
            if modality in self.student.modalities and there[0] != there[1]:
                raise ValueError(
                    f"student.{mine} is {there[0]}, views.{theirs} is {there[1]}: set them equal"
                )

    def _has_model(self, where: str, teacher: str, source: str) -> None:
        try:
            self.teachers[teacher].model(self.sources[source].modality)
        except ValueError as error:
            raise ValueError(f"{where} pairs {teacher} with {source}: {error}") from None

    def _has_split(self, where: str, source: str, split: str) -> None:
        splits = self.sources[source].splits
        if split not in splits:
            raise ValueError(
                f"{where} needs split '{split}' of source '{source}', "
                f"whose splits are {', '.join(splits) or 'none'}"
            )


def _known(where: str, name: str, table: dict) -> None:
    if name not in table:
        raise ValueError(f"{where} names '{name}', which is not one of {', '.join(table)}")

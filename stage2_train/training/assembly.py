"""Everything a training stands on, opened and checked before its first step."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from pipeline.config import Params, TrainConfig
from pipeline.dvc_stage import require_watched
from pipeline.errors import UserError
from pipeline.identity import templates_identity, training_identity
from pipeline.openclip import load_openclip
from pipeline.prompts import templates
from pipeline.shards import ShardIndex, read_index
from stage2_train.stream.order import (
    STREAM,
    BatchSplit,
    SourceOrder,
    mini_batch_sizes,
    split_over_ranks,
)
from stage2_train.stream.targets import TeacherTargets, open_targets, source_folder
from stage2_train.stream.texts import TextTable, build_text_table
from stage2_train.student import Student
from stage2_train.student.fused_block import fused
from stage2_train.student.projectors import FeatureProjectors
from stage2_train.training.objectives import OBJECTIVES
from stage2_train.training.step import Objective, StepObjective

_FREE = (
    "out", "loader_workers", "checkpoint_every", "keep_every", "step_timeout", "compile",
    "checkpoint_activations", "score_every",
)  # fmt: skip
"""Fields of `train` that may change between a checkpoint and its resumption."""


@dataclass(frozen=True)
class Assembly:
    """The parts of a training."""

    config: TrainConfig
    indexes: dict[str, ShardIndex]
    targets: dict[str, list[TeacherTargets]]
    """Source -> its stores, in the order of `train.teachers`."""
    batch_splits: dict[str, BatchSplit]
    """Source -> how the ranks share its samples of one forward pass."""
    student: Student
    texts: TextTable
    objective: Objective
    split: str = "train"
    """Of the shards of all its sources."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What else determines the training, beside the params that stage 2 depends on."""

    @property
    def stores(self) -> list[TeacherTargets]:
        """All of them."""
        return [store for stores in self.targets.values() for store in stores]

    @property
    def samples(self) -> int:
        """Of all sources together."""
        return sum(index.samples for index in self.indexes.values())

    def orders(self, seed: int) -> dict[str, SourceOrder]:
        """Source -> which of its samples comes when."""
        return {
            source: SourceOrder(seed, source, [shard.count for shard in index.shards])
            for source, index in self.indexes.items()
        }


def assemble(params: Params, device: torch.device, ranks: int) -> Assembly:
    """Open shards, stores and CLIP, and build the student and its objective.

    Raises:
        UserError: something is missing, damaged or of another recipe; or the batch is too small
            for so many ranks.
    """
    config = params.train
    sizes = mini_batch_sizes(config.sources, config.batch_size // config.accumulate)
    splits = split_over_ranks(sizes, ranks)
    _check_splits(splits, ranks, config)
    _check_modalities(params)
    indexes = {s: read_index(source_folder(params, s)) for s in config.sources}
    targets = _open_stores(params, indexes)
    openclip = load_openclip(params.student.arch, params.student.weights, device)
    require_watched(openclip.files, Path(params.teacher_files), "student.arch")
    student = Student(openclip, params.student, seed=config.seed, views=params.views)
    student.recompute = config.checkpoint_activations
    prompts = {source: params.sources[source].prompts for source in indexes}
    texts = build_text_table(student, indexes, prompts)
    projectors = make_projectors(params, student, targets)
    objective = StepObjective(
        student, projectors, texts, targets, splits, config.anchor, config.objectives
    )
    if device.type == "cuda":
        use_gpu_blocks(student)
    if config.compile:
        compile_blocks(student, len(config.sources))
    return Assembly(config, indexes, targets, splits, student, texts, objective.to(device))


def use_gpu_blocks(student: Student) -> None:
    """Train by what a GPU does best: fused blocks, over a trunk in autocast's bfloat16."""
    student.hold_trunk_in(torch.bfloat16)
    student.run_block = fused


def compile_blocks(student: Student, sources: int) -> None:
    """Train by compiled blocks; for each source the first and the others differ."""
    dynamo = torch._dynamo.config
    dynamo.recompile_limit = max(dynamo.recompile_limit, 2 * sources)
    student.compiled_block = torch.compile(student.run_block, dynamic=False)


def make_projectors(
    params: Params, student: Student, targets: Mapping[str, list[TeacherTargets]]
) -> FeatureProjectors:
    """A head for every teacher but the anchor, as wide as its stores say."""
    dims = {
        store.teacher["name"]: store.store.layout.dim
        for stores in targets.values()
        for store in stores
        if store.teacher["name"] != params.train.anchor
    }
    return FeatureProjectors(student.width, dims, params.student.projector, seed=params.train.seed)


def recipe(params: Params, assembly: Assembly) -> dict[str, Any]:
    """What determines a training: settings, data and targets, but not the number of ranks."""
    train = {name: value for name, value in asdict(assembly.config).items() if name not in _FREE}
    prompts = {source: params.sources[source].prompts for source in assembly.indexes}
    return training_identity(
        settings={
            "seed": params.seed,
            "views": asdict(params.views),
            "student": asdict(params.student),
            "train": train,
            "stream": STREAM,
            "objectives": OBJECTIVES,
            **assembly.settings,
        },
        clip=assembly.student.openclip.identity,
        indexes=assembly.indexes,
        templates={s: templates_identity(name, templates(name)) for s, name in prompts.items()},
        stores={store.name: store.store.provenance.fingerprint for store in assembly.stores},
    )


def _open_stores(
    params: Params, indexes: Mapping[str, ShardIndex]
) -> dict[str, list[TeacherTargets]]:
    targets: dict[str, list[TeacherTargets]] = {source: [] for source in indexes}
    for name in params.train.teachers:
        source = params.extract[name].source
        if source in targets:
            targets[source].append(open_targets(params, name, indexes[source]))
    return targets


def _check_splits(splits: Mapping[str, BatchSplit], ranks: int, config: TrainConfig) -> None:
    """A rank without a sample of some source would leave parameters without a gradient."""
    for source, split in splits.items():
        if split.size < ranks:
            raise UserError(
                f"train.batch_size {config.batch_size} over {config.accumulate} forward passes "
                f"gives source '{source}' {split.size} samples for {ranks} ranks; raise "
                "batch_size or the source's weight, or lower accumulate"
            )


def _check_modalities(params: Params) -> None:
    if params.untrained:
        raise UserError(
            f"student.modalities has '{params.untrained[0]}', which no source of train.sources "
            "trains; add such a source or leave the modality out"
        )

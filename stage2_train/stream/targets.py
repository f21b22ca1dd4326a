"""Cached teacher targets of one source, and the proof that each belongs to the view it meets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.commands import extract_command, repair_command
from pipeline.config import Params, TeacherConfig
from pipeline.config.data import Model
from pipeline.errors import UserError
from pipeline.identity import (
    architecture_identity,
    store_identity,
    teacher_identity,
    templates_identity,
)
from pipeline.locations import path_or_url
from pipeline.openclip import arch_file, local_dir, weights_here
from pipeline.prompts import templates
from pipeline.shards import ShardIndex
from pipeline.store import FeatureStore, PickedRows, Provenance, store_path
from pipeline.store.drift import refuse_drifted
from pipeline.store.layout import VERSION
from pipeline.views import ViewMaker, chain_for
from pipeline.views.digest import key_digest
from pipeline.weights import file_sha256


@dataclass(frozen=True)
class TeacherTargets:
    """One feature store, opened for a run whose recipe it has been checked against."""

    name: str
    """Name under `extract`."""
    teacher: Mapping[str, str]
    """The teacher's provenance."""
    store: FeatureStore
    maker: ViewMaker
    """The chain the teacher saw: the student's own, or that of the paired image."""

    def mean(self) -> np.ndarray:
        """What the teacher's normalised features have in common, float32 [dim]: their mean over the
        first tar's first views, a sample of all. 0 where the teacher failed on each of them.

        Raises:
            UserError: that tar is not in the store, or damaged there.
        """
        plane = self.store.read(0, 0)
        features = PickedRows.of([(plane, row) for row in range(len(plane.features))]).features
        lengths = np.linalg.norm(features, axis=1, keepdims=True)
        directions = features[lengths[:, 0] > 0] / lengths[lengths[:, 0] > 0]  # not of NaN either
        return directions.sum(0) / max(1, len(directions))

    def check(
        self,
        cached: PickedRows,
        keys: Sequence[str],
        drawn: np.ndarray,
        contents: np.ndarray | None,
    ) -> None:
        """Raise unless the cached rows were made from exactly these views of these samples.

        Args:
            cached: the rows of the samples' tars under the views' numbers.
            keys: the samples' keys.
            drawn: uint64 [rows], digests of what is drawn for the views in the chain that the
                teacher saw.
            contents: uint64 [rows], the views' own digests, where the student has those very views
                and their content is checked too, else None.

        Raises:
            UserError: another key, other drawn parameters, or other content.
        """
        params_digest, view_digest = cached.digests.T
        other = params_digest != drawn
        if other.any():
            first = int(other.argmax())
            plane, row = cached.places[first]
            what = "the cached view was drawn with other parameters"
            if int(self.store.key_hash(plane.shard)[row]) != key_digest(keys[first]):
                what = "the cached row belongs to another key"
            raise self._mismatch(keys[first], plane.view, what)
        if contents is None:
            return
        # 0 marks a sample that stage 1 could not use under one of its K views: its row is NaN.
        other = (view_digest != contents) & (view_digest != 0)
        if other.any():
            first = int(other.argmax())
            what = "the cached view has other content (another decoder or library version?)"
            raise self._mismatch(keys[first], cached.places[first][0].view, what)

    def _mismatch(self, key: str, view: int, what: str) -> UserError:
        mend = repair_command(self.store.path.parent.name, self.store.index.dataset)
        return UserError(
            f"{self.store.path}: sample '{key}', view {view} ({self.maker.chain.member} chain): "
            f"{what}; run: {mend}"
        )


def check_targets(
    targets: Sequence[TeacherTargets],
    cached: Sequence[PickedRows],
    keys: Sequence[str],
    seen: np.ndarray,
    maker: ViewMaker,
) -> None:
    """Raise unless every target's cached rows belong to the samples' views that `maker` made.

    Args:
        targets: of the source.
        cached: of each target, the rows of the samples' tars under the views' numbers.
        keys: the samples' keys.
        seen: uint64 [rows, 2], the views' digests, as of `Plane`. For each other chain than
            `maker`'s what is drawn is drawn here, once.
        maker: of the views.

    Raises:
        UserError: see `TeacherTargets.check`.
    """
    drawn, contents = {maker.chain: seen[:, 0]}, seen[:, 1]
    for target, rows in zip(targets, cached):
        chain = target.maker.chain
        if chain not in drawn:
            views = [plane.view for plane, _ in rows.places]
            drawn[chain] = np.array(list(map(target.maker.params_digest, keys, views)), np.uint64)
        same = chain == maker.chain and maker.sizes.check_content
        target.check(rows, keys, drawn[chain], contents if same else None)


def open_targets(params: Params, name: str, index: ShardIndex) -> TeacherTargets:
    """Open the store of an extraction and compare it with what this run knows of its recipe.

    Raises:
        UserError: no store, a damaged one, or one of another seed, chain, size, teacher, weights,
            precision or templates; the first field that differs is named.
    """
    extraction = params.extract[name]
    source = params.sources[extraction.source]
    config = params.teachers[extraction.teacher]
    path = store_path(params.cache, extraction.teacher, extraction.source, "train")
    mend = extract_command(extraction.teacher, extraction.source)
    found = Provenance.read(path, mend).determines["teacher"]
    maker = ViewMaker(chain_for(source.modality, found["modality"]), params.seed, params.views)
    expected = store_identity(
        teacher=_known_teacher(extraction.teacher, config.model(source.modality), config, found),
        views=maker.recipe(),
        index=index,
        templates=templates_identity(source.prompts, templates(source.prompts)),
        storage={"layout": VERSION, "dtype": config.store},
    )
    store = FeatureStore(path, index, expected)
    refuse_drifted(path)
    if store.views < params.views.count:
        raise UserError(
            f"{path}: holds {store.views} views, views.count is {params.views.count}; run: {mend}"
        )
    return TeacherTargets(name, found, store, maker)


def _known_teacher(
    name: str, model: Model, config: TeacherConfig, found: Mapping[str, str]
) -> dict[str, str]:
    """What is known of a teacher without loading it: its files, where they are, and its settings.

    Raises:
        UserError: its weights are not on this machine and their hash is not pinned.
    """
    file, known = weights_here(model.arch, model.weights), {}
    if model.sha256 or file:
        known["weights_sha256"] = file_sha256(file) if file else str(model.sha256)
    elif model.weights or local_dir(model.arch):
        raise UserError(
            f"teachers.{name}: the weights {model.weights or model.arch} are not on this machine, "
            f"so nothing tells whether the store is theirs; put them there, or pin teachers.{name}"
            f".sha256: {found.get('weights_sha256')}, if those are the ones you mean"
        )
    arch = architecture_identity(model.arch.removeprefix("clip:"), arch_file(model.arch))
    return teacher_identity(name, arch, config.precision, known)


def source_folder(params: Params, source: str, split: str = "train") -> Path:
    """Folder of a source's shards of a split."""
    return path_or_url(params.shards) / source / split

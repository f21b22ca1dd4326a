"""Files, or the samples of a prepared split, as `Embeddings` of a student."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.embeddings import Embeddings
from eval.encode import check_finite, encode_split, evaluation_views
from eval.models import student_model
from pipeline.config import load_params
from pipeline.decoding.depth import DepthSensor
from pipeline.errors import UserError
from pipeline.unknown_name import unknown_name
from pipeline.weights import file_sha256
from stage2_train.student import Student
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
    views = params.views if student.views is None else student.views
    params = replace(params, views=views)
    model = student_model(student, evaluation_views(params, source))
    found = encode_split(params, source, split, [model], by=None)
    check_finite(found.features[0], f"{source}/{split}: {model.name}")
    names = dict(enumerate(found.index.classes))
    return Embeddings(
        vectors=found.features[0].numpy(),
        key=found.keys,
        modality=[found.index.modality] * len(found.keys),
        label=[", ".join(names.get(n, str(n)) for n in text.labels) for text in found.texts],
        failed=found.unreadable,
        **identified(ckpt),
    )


def identified(ckpt: str) -> dict[str, str]:
    """Where a student lies, and the hash of its tensors."""
    where = ckpt if is_hub_address(ckpt) else str(Path(ckpt).absolute())
    return {"student": where, "sha256": file_sha256(student_folder(ckpt) / TENSORS)}

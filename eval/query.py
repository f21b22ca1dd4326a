"""A query's embedding, by the very student that made the embeddings which are searched."""

from pathlib import Path

import numpy as np

from eval.embeddings import Embeddings
from pipeline.device import default_device
from pipeline.errors import UserError
from pipeline.weights import file_sha256
from stage2_train.student import Student
from stage2_train.student.hub import student_folder
from stage2_train.student.portable import TENSORS


def student_of(index: Embeddings, ckpt: str | None) -> Student:
    """The student of an index, from where it was or from `ckpt`.

    Raises:
        UserError: there is none, or another one.
    """
    where = ckpt or index.student
    student = Student.load(where, device=default_device())
    found = file_sha256(student_folder(where) / TENSORS)
    if found != index.sha256:
        raise UserError(
            f"{where}: expected the student of the index, whose {TENSORS} has the sha256 "
            f"{index.sha256}, found {found}; give its folder with --ckpt, or export again"
        )
    return student


def encoded_file(student: Student, path: Path) -> np.ndarray:
    """The embedding float32 [dim] of one file.

    Raises:
        UserError: it cannot be encoded.
    """
    found = student.encode_files([path])
    if found.failed:
        raise UserError(f"{path}: {found.failed[path]}")
    return found.embeddings[0].numpy()

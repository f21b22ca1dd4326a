"""What is scored zero-shot: the student, and any teacher that has a text space."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from eval.encode import BATCH, Encoder
from pipeline.unknown_name import unknown_name
from pipeline.views import ViewMaker
from stage1_extract.forward_pass import ForwardPass
from stage1_extract.teachers import Teacher
from stage2_train.student import Student
from stage2_train.student.inputs import encodable


@dataclass(frozen=True)
class Model(Encoder):
    """An encoder beside its text encoder."""

    encode_text: Callable[[Sequence[str]], Tensor]
    """Features [texts, dim], not normalised."""


def student_model(student: Student, maker: ViewMaker) -> Model:
    """The student as an encoder of the modality whose views are made.

    Raises:
        UserError: it does not have that modality.
    """
    modality = maker.chain.member
    if modality not in student.config.modalities:
        raise unknown_name("modality", modality, student.config.modalities)

    def encode(inputs: Sequence[Tensor]) -> Tensor:
        return student.encode(modality, torch.stack(list(inputs)))

    prepare = partial(encodable, modality, config=student.config)
    return Model("the student", prepare, encode, student.encode_text)


def teacher_model(teacher: Teacher, maker: ViewMaker) -> Model:
    """A teacher that has a text space, in float32 as its authors score it."""
    forward = ForwardPass(teacher, maker, BATCH, "float32", range(1))

    def encode(views: Sequence[Any]) -> Tensor:
        return forward.encode(torch.stack([forward.input(view) for view in views]))

    name = f"the teacher {teacher.name}"
    return Model(name, forward.handed_on, encode, cast(Any, teacher.encode_text))

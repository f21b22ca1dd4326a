"""A student's encoder of one modality, traced by torch.export."""

from copy import copy
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from pipeline.atomic import replacing
from pipeline.decoding.resample import RATE
from pipeline.errors import UserError
from pipeline.unknown_name import unknown_name
from pipeline.views.audio import BINS, spectrogram_frames
from stage2_train.student.model import Student


class Encoder(nn.Module):
    """From one or two input tensors of a modality to embeddings float32 [B, embed_dim]."""

    def __init__(self, student: Student, modality: str) -> None:
        super().__init__()
        self.student, self.modality = _without_the_rest(student, modality), modality

    def forward(self, *parts: Tensor) -> Tensor:
        """Encode a batch; values are not checked here."""
        x = parts[0] if len(parts) == 1 else parts
        return self.student(self.modality, x).embedding.float()


def _without_the_rest(student: Student, modality: str) -> Student:
    """The same student less CLIP's text tower and the other tokenizers: a program keeps all
    weights of its module, used or not."""
    trunk = nn.Module()
    trunk.visual = student.visual
    own = nn.ModuleDict({modality: student.tokenizers[modality]})
    part = copy(student)
    part._modules = {**student._modules, "clip": trunk, "tokenizers": own}
    return part


def write_program(student: Student, modality: str, out: Path) -> None:
    """Trace the encoder, any batch size, and write it.

    Raises:
        UserError: a modality that the student does not have, or a file that does not end in .pt2.
    """
    if out.suffix != ".pt2":
        raise UserError(f"--out {out}: expected a file that ends in .pt2")
    inputs = example_inputs(student, modality)
    batch = Dim("batch", min=1)
    with torch.no_grad():
        program = torch.export.export(
            Encoder(student.eval(), modality), inputs,
            dynamic_shapes={"parts": tuple({0: batch} for _ in inputs)},
        )  # fmt: skip
    with replacing(out) as file:
        torch.export.save(program, file)


def example_inputs(student: Student, modality: str) -> tuple[Tensor, ...]:
    """Inputs of two samples, as they are stacked from `student_input`.

    Raises:
        UserError: a modality that the student does not have.
    """
    config, size = student.config, student.openclip.image_size
    if modality not in config.modalities:
        raise unknown_name("modality", modality, config.modalities)
    if modality == "points":
        groups, size = config.points.groups, config.points.group_size
        return torch.zeros(2, groups, size, 3), torch.zeros(2, groups, 3)
    if modality == "audio":
        frames = spectrogram_frames(round(config.audio.seconds * RATE))
        return (torch.zeros(2, frames, BINS),)
    if modality == "video":
        return (torch.zeros(2, config.video.frames, 3, size, size, dtype=torch.uint8),)
    if modality == "depth":
        return (torch.ones(2, 1, size, size),)
    return (torch.zeros(2, 3, size, size, dtype=torch.uint8),)

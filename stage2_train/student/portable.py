"""The portable student: a folder with `student.safetensors` and `student.json`.

The tensors are the trainable ones only, by name; the json says on which frozen CLIP they belong:
{"format": 2, "config": {StudentConfig}, "clip": {its identity}, "teachers": {"ulip": 512}}
Projectors, if saved, lie in the same file under `projectors.`; the encoder works without them.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import save
from torch import Tensor, nn

from pipeline.atomic import naming, replacing
from pipeline.config.student import LARGEST, StudentConfig
from pipeline.errors import UserError
from pipeline.identity import differences
from pipeline.small_files import read_json
from pipeline.weights import load_checkpoint, refuse_non_finite
from stage2_train.student.projectors import FeatureProjectors

FORMAT = 2
TENSORS, CARD = "student.safetensors", "student.json"
_PROJECTORS = "projectors."
_MEND = "train it or copy it again"


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudentCard:
    """The contents of student.json."""

    format: int
    """Version of this layout."""
    config: StudentConfig
    """What the student was built from; its `modalities` are what it encodes."""
    clip: dict[str, str]
    """Identity of the frozen CLIP (`pipeline.identity.clip_identity`)."""
    teachers: dict[str, int]
    """Teacher -> feature dimension of the projectors saved along."""

    def __post_init__(self) -> None:
        if not all(1 <= dim <= LARGEST for dim in self.teachers.values()):
            raise ValueError(f"dimensions of teachers must be from 1 to {LARGEST}")


def write(
    folder: Path,
    config: StudentConfig,
    trainable: Mapping[str, Tensor],
    clip: Mapping[str, str],
    projectors: FeatureProjectors | None,
) -> None:
    """Write both files, or where one cannot be written neither."""
    tensors = {name: tensor.detach().contiguous() for name, tensor in trainable.items()}
    if projectors is not None:
        heads = projectors.heads.state_dict()
        tensors |= {_PROJECTORS + name: tensor.contiguous() for name, tensor in heads.items()}
    card = StudentCard(
        format=FORMAT,
        config=config,
        clip=dict(clip),
        teachers={} if projectors is None else projectors.dims,
    )
    with replacing(folder / TENSORS) as tensor_file, replacing(folder / CARD) as card_file:
        with naming(folder / TENSORS):
            tensor_file.write(save(tensors))
            tensor_file.flush()
        card_file.write(msgspec.json.format(msgspec.json.encode(card), indent=2))


def read_card(folder: Path) -> StudentCard:
    """Read and check student.json; raises UserError naming it."""
    path = folder / CARD
    try:
        raw = read_json(path, dict[str, Any], _MEND)
        if raw.get("format") != FORMAT:
            raise UserError(
                f"{path}: expected layout version {FORMAT}, found {raw.get('format')}; "
                "load it with the release that wrote it"
            )
        return msgspec.convert(raw, StudentCard)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; expected the folder of a trained student, such as "
            "runs/demo/student (python -m stage2_train writes it)"
        ) from None
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error}; {_MEND}") from None


def fill(parameters: Mapping[str, nn.Parameter], folder: Path) -> None:
    """Copy the folder's encoder tensors into `parameters`; both must name the same ones."""
    _fill(parameters, folder, lambda name: not name.startswith(_PROJECTORS))


def load_projectors(folder: Path, width: int) -> FeatureProjectors:
    """The projectors saved along with the student of `folder`, whose hidden width is `width`."""
    card = read_card(folder)
    projectors = FeatureProjectors(width, card.teachers, card.config.projector)
    parameters = {_PROJECTORS + name: p for name, p in projectors.heads.named_parameters()}
    _fill(parameters, folder, lambda name: name.startswith(_PROJECTORS))
    return projectors


def check_clip(card: StudentCard, folder: Path, clip: Mapping[str, str]) -> None:
    """Raise UserError unless `clip` is the identity of the very CLIP the student was trained on."""
    different = differences(clip, card.clip)
    if different:
        raise UserError(
            f"{folder / CARD}: trained on another CLIP than {card.config.arch} is now "
            f"({different[0]}); restore the one it was trained on"
        )


def _fill(
    parameters: Mapping[str, nn.Parameter], folder: Path, wanted: Callable[[str], bool]
) -> None:
    path = folder / TENSORS
    if not path.exists():
        raise UserError(f"{path}: no such file, though {CARD} is there; train or copy it again")
    fill_exactly(parameters, {n: t for n, t in load_checkpoint(path).items() if wanted(n)}, path)


def fill_exactly(
    parameters: Mapping[str, nn.Parameter], tensors: Mapping[str, Tensor], path: Path
) -> None:
    """Copy the tensors of a file into `parameters`.

    Raises:
        UserError: the two name other tensors or shapes, or one is not finite.
    """
    for name in sorted(parameters.keys() | tensors.keys()):
        expected, found = (
            f"shape {list(table[name].shape)}" if name in table else "no such tensor"
            for table in (parameters, tensors)
        )
        if expected != found:
            raise UserError(
                f"{path}: '{name}': expected {expected}, found {found}; "
                "the file is of another architecture or config"
            )
    refuse_non_finite(tensors, path)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[name])

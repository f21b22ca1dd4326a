"""The portable student: a folder with all that it needs, wherever it is copied.

student.safetensors     the trainable tensors only, by name; projectors under `projectors.`, if
                        saved: the encoder works without them
student.json            {"format": 3, "config": {StudentConfig}, "views": {ViewsConfig},
                        "clip": {identity of the frozen CLIP}, "teachers": {"ulip": 512}}
clip/                   that CLIP's own files, where no tag or hub address names it
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import save
from torch import Tensor, nn

from pipeline.atomic import naming, replacing
from pipeline.checkpoint import load_checkpoint, refuse_non_finite
from pipeline.config.data import ViewsConfig
from pipeline.config.student import LARGEST, StudentConfig
from pipeline.errors import UserError
from pipeline.identity import differences
from pipeline.openclip import OpenClip
from pipeline.small_files import open_regular, read_json
from stage2_train.student.carried_clip import CLIP, carry, placed
from stage2_train.student.projectors import FeatureProjectors

FORMAT, OLDER = 3, 2
"""The layout that is written; and that whose local files lie where its machine had them."""
TENSORS, CARD = "student.safetensors", "student.json"
PUBLISHED = (TENSORS, CARD, f"{CLIP}/*.json", f"{CLIP}/*.safetensors", f"{CLIP}/*.gz")
"""Files of a student on a hub; nothing that could hold code."""
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
    views: ViewsConfig | None = None
    """What it was trained on; older folders do not say it."""

    def __post_init__(self) -> None:
        if not all(1 <= dim <= LARGEST for dim in self.teachers.values()):
            raise ValueError(f"dimensions of teachers must be from 1 to {LARGEST}")


def write(
    folder: Path,
    config: StudentConfig,
    views: ViewsConfig | None,
    trainable: Mapping[str, Tensor],
    openclip: OpenClip,
    projectors: FeatureProjectors | None,
) -> None:
    """Write all files, or where one cannot be written none."""
    tensors = {name: tensor.detach().contiguous() for name, tensor in trainable.items()}
    if projectors is not None:
        heads = projectors.heads.state_dict()
        tensors |= {_PROJECTORS + name: tensor.contiguous() for name, tensor in heads.items()}
    placed_config, carried = carry(config, openclip)
    card = StudentCard(
        format=FORMAT,
        config=placed_config,
        views=views,
        clip=openclip.identity,
        teachers={} if projectors is None else projectors.dims,
    )
    with ExitStack() as files:  # each takes its place when all are written
        for name, source in carried.items():
            with open_regular(source) as original:
                _fill_file(files, folder / name, iter(partial(original.read, 1 << 20), b""))
        _fill_file(files, folder / TENSORS, map(save, [tensors]))  # an error has its name
        _fill_file(files, folder / CARD, [encoded(card)])


def _fill_file(files: ExitStack, path: Path, content: Iterable[bytes]) -> None:
    file = files.enter_context(replacing(path))
    with naming(path):
        file.writelines(content)
        file.flush()


def encoded(card: StudentCard) -> bytes:
    """The bytes of student.json."""
    return msgspec.json.format(msgspec.json.encode(card), indent=2)


def read_card(folder: Path, own: bool = True) -> StudentCard:
    """Read and check student.json; the files that it names are those in the folder.

    Args:
        folder: of a student.
        own: whether it comes from this machine, so that paths of the older layout mean something.

    Raises:
        UserError: naming it.
    """
    card, path = stored_card(folder), folder / CARD
    if card.format == FORMAT:
        return dataclasses.replace(card, config=placed(card.config, folder, path))
    if not own:
        raise UserError(
            f"{path}: layout version {OLDER} names files of the machine that wrote it, expected "
            f"{FORMAT}; load it there and save it with this release"
        )
    return card


def stored_card(folder: Path) -> StudentCard:
    """student.json as it stands; raises UserError naming it."""
    path = folder / CARD
    try:
        raw = read_json(path, dict[str, Any], _MEND)
        if raw.get("format") not in (FORMAT, OLDER):
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

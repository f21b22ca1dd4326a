"""A fine-tuned classifier in a folder.

classifier.safetensors    every trained tensor by name, `head.weight` and `head.bias` among them
classifier.json           {"format": 1, "recipe": ..., "mode": ..., "classes": [...]}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from safetensors.torch import save
from torch import Tensor, nn

from pipeline.atomic import naming, replacing
from pipeline.checkpoint import load_checkpoint
from pipeline.errors import UserError
from pipeline.small_files import read_json
from stage2_train.student.portable import fill_exactly

FORMAT = 1
TENSORS, CARD = "classifier.safetensors", "classifier.json"
_MEND = "delete it, and run eval.finetune again"


@dataclass(frozen=True, kw_only=True)
class Card:
    """The contents of classifier.json."""

    format: int = FORMAT
    """Version of this layout."""
    recipe: str
    """Fingerprint of what determined the tensors."""
    mode: str
    classes: list[str]
    """Names, in the order of the head's rows."""


def write(folder: Path, tensors: Mapping[str, Tensor], card: Card) -> None:
    """Write both files, or where one cannot be written neither."""
    with replacing(folder / TENSORS) as tensor_file, replacing(folder / CARD) as card_file:
        with naming(folder / TENSORS):
            tensor_file.write(save({n: t.detach().contiguous() for n, t in tensors.items()}))
            tensor_file.flush()
        card_file.write(msgspec.json.format(msgspec.json.encode(card), indent=2))


def restore(folder: Path, parameters: Mapping[str, nn.Parameter], recipe: str) -> bool:
    """Fill parameters with what `write` wrote of this very recipe; False where there is none.

    Raises:
        UserError: what lies there cannot be read, or is of other tensors.
    """
    try:
        card = read_json(folder / CARD, Card, _MEND)
    except FileNotFoundError:
        return False
    if card.format != FORMAT:
        raise UserError(f"{folder / CARD}: expected format {FORMAT}, found {card.format}; {_MEND}")
    if card.recipe != recipe:
        return False
    fill_exactly(parameters, load_checkpoint(folder / TENSORS), folder / TENSORS)
    return True

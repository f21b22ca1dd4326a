"""What is fine-tuned on what, settled before anything is opened."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eval.splits import chosen_split
from pipeline.config import Params

Mode = Literal["probe", "adapters", "full"]
MODES: tuple[Mode, ...] = ("probe", "adapters", "full")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One fine-tuning."""

    ckpt: Path
    """Folder of the portable student that it starts from."""
    source: str
    """Name in `sources`."""
    split: str
    """To train on."""
    held_out: str
    """To score."""
    mode: Mode
    out: Path
    """Where everything of it is written."""


def plan(
    params: Params, ckpt: Path, source: str, mode: Mode, split: str | None, held_out: str | None
) -> Plan:
    """A fine-tuning of a source; by default on its first split named train..., scored on the first
    of another name.

    Raises:
        UserError: there is no such source or split.
    """
    return Plan(
        ckpt=ckpt,
        source=source,
        split=chosen_split(params, source, split, "--split", training=True),
        held_out=chosen_split(params, source, held_out, "--held-out"),
        mode=mode,
        out=Path(params.train.out) / "finetune" / f"{source}-{mode}",
    )

"""What is fine-tuned on what, settled before anything is opened."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.unknown_name import unknown_name

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
    if source not in params.sources:
        raise unknown_name("source", source, params.sources)
    splits = params.sources[source].splits
    for_training = [name for name in splits if name.startswith("train")]
    others = [name for name in splits if name not in for_training]
    return Plan(
        ckpt=ckpt,
        source=source,
        split=_chosen(source, splits, split, for_training, "--split"),
        held_out=_chosen(source, splits, held_out, others, "--held-out"),
        mode=mode,
        out=Path(params.train.out) / "finetune" / f"{source}-{mode}",
    )


def _chosen(
    source: str, splits: tuple[str, ...], named: str | None, candidates: list[str], flag: str
) -> str:
    if named in splits:
        return str(named)
    if named is None and candidates:
        return candidates[0]
    raise UserError(
        f"{flag} {named or ''}: sources.{source} has the splits {', '.join(splits)}; name one of "
        "them, or add one there"
    )

"""The frozen teachers, by name.

A teacher is one module of this package with `CARDS` (what it offers) and
`load(arch, weights, device) -> Teacher`, and one line in `REGISTRY`; see docs/your_teacher.md.
"""

from importlib import import_module

from pipeline.errors import UserError
from pipeline.unknown_name import unknown_name
from stage1_extract.teachers.protocol import Card, Teacher

__all__ = ["REGISTRY", "Card", "Teacher", "cards", "load_teacher"]

REGISTRY = {
    "clip": "stage1_extract.teachers.clip",
    "ulip": "stage1_extract.teachers.ulip",
    "vitlens": "stage1_extract.teachers.vitlens",
    "multimae": "stage1_extract.teachers.multimae",
    "recon": "stage1_extract.teachers.recon",
}


def load_teacher(
    name: str, weights: str | None = None, device: str = "cpu", arch: str | None = None
) -> Teacher:
    """Load a frozen teacher with its officially published, unchanged weights file.

    `weights` is a path or `hf://ORG/REPO/FILE`; for `clip` also an open_clip tag, and None where
    the arch is a directory that holds its own. `arch` may be left out where the teacher has one.
    Raises `UserError` for unknown names (with the nearest), missing or damaged files, and files
    of another architecture (with the first differing tensor and both shapes).
    """
    if name not in REGISTRY:
        raise unknown_name("teacher", name, REGISTRY)
    module = import_module(REGISTRY[name])
    offered = [card.arch for card in module.CARDS]
    if arch is None and len(offered) > 1:
        raise UserError(f"teacher '{name}' has several architectures: say which of {offered}")
    return module.load(arch or offered[0], weights, device)


def cards() -> list[Card]:
    """Return the cards of every registered teacher, without loading any."""
    return [card for module in REGISTRY.values() for card in import_module(module).CARDS]

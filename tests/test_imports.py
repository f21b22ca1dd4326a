"""Imports run one way: from what uses to what is used, and never in a circle."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "pipeline": (),
    "pipeline.doctor": ("pipeline", "stage1_extract"),
    "stage1_extract": ("pipeline",),
    "stage2_train.student": ("pipeline",),
    "stage2_train.stream": ("pipeline", "stage2_train.student"),
    "stage2_train.training": ("pipeline", "stage2_train.student", "stage2_train.stream"),
    "stage2_train": ("pipeline",),
    "eval": ("pipeline", "stage1_extract", "stage2_train"),
}
PACKAGES = tuple(sorted({name.split(".")[0] for name in MAY_IMPORT}))


def modules(package: str) -> dict[str, Path]:
    """Name -> file."""
    files = (ROOT / package.replace(".", "/")).rglob("*.py")
    names = {file: ".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files}
    return {name.removesuffix(".__init__"): file for file, name in names.items()}


def imported(file: Path) -> Iterator[str]:
    """Modules of the project that one imports, within functions too."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                module = f"{node.module}.{name.name}"
                yield module if module in EVERY else str(node.module)


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


EVERY = {name: file for package in PACKAGES for name, file in modules(package).items()}


def _judged_by(module: str) -> str:
    return max((package for package in MAY_IMPORT if within(module, (package,))), key=len)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_downwards(package: str) -> None:
    allowed = (package, *MAY_IMPORT[package])
    found = [
        f"{module} imports {other}"
        for module, file in modules(package).items()
        if _judged_by(module) == package
        for other in imported(file)
        if within(other, PACKAGES) and not within(other, allowed)
    ]
    assert found == []


def test_no_imports_form_a_circle() -> None:
    uses = {name: {other for other in imported(EVERY[name]) if other in EVERY} for name in EVERY}
    TopologicalSorter(uses).prepare()

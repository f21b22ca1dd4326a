"""DVC sees every file of the project that a stage runs, but for those that determine no number."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from stage1_extract.teachers import REGISTRY

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipeline", "stage1_extract", "stage2_train", "eval")
ENTRY = {
    "prepare": "pipeline.prepare",
    "extract": "stage1_extract.__main__",
    "train": "stage2_train.__main__",
    "zeroshot": "eval.zeroshot",
    "report": "eval.report.__main__",
}
NO_NUMBER = {
    "pipeline/commands.py", "pipeline/errors.py", "pipeline/unknown_name.py",
    "pipeline/dvc_stage.py", "pipeline/interruption.py", "pipeline/atomic.py", "pipeline/lock.py",
    "pipeline/progress.py", "pipeline/argument_types.py", "pipeline/timing.py",
}  # fmt: skip
"""These speak to the user, or write a file's bytes as they are given them."""
PACKAGE_LINES = {f"{package}/__init__.py" for package in PACKAGES}
"""A docstring each."""

CONVERTERS = sorted(
    file.stem
    for file in (ROOT / "pipeline" / "datasets").glob("*.py")
    if "\ndef read(" in file.read_text()
)


def stages() -> dict[str, dict]:
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return {name: stage.get("do", stage) for name, stage in declared.items()}


def file_of(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    found = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in found if file.is_file()), None)


@cache
def imports(file: Path) -> frozenset[Path]:
    """Files of the project that one imports, within functions too, and their packages'."""
    names = set(_imported(ast.parse(file.read_text())))
    packages = {
        name.rsplit(".", parts)[0] for name in names for parts in range(name.count(".") + 1)
    }
    return frozenset(found for name in names | packages if (found := file_of(name)))


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith(PACKAGES))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGES):
            yield str(node.module)
            yield from (f"{node.module}.{name.name}" for name in node.names)


def closure(start: Path) -> set[Path]:
    seen, waiting = set(), [start]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += imports(file)
    return seen


def covered(file: Path, deps: list[str]) -> bool:
    name = file.relative_to(ROOT).as_posix()
    return any(name == dep or name.startswith(f"{dep}/") for dep in deps)


@pytest.mark.parametrize("stage", ENTRY)
def test_a_stage_depends_on_all_code_that_it_runs(stage: str) -> None:
    deps = stages()[stage]["deps"]
    starts = [ENTRY[stage], *(REGISTRY.values() if stage in ("extract", "zeroshot") else ())]
    files = set().union(*(closure(file) for start in starts if (file := file_of(start))))
    names = {file.relative_to(ROOT).as_posix() for file in files if not covered(file, deps)}
    assert names - PACKAGE_LINES <= NO_NUMBER


@pytest.mark.parametrize("converter", CONVERTERS)
def test_a_preparation_depends_on_its_converter_and_what_that_shares(converter: str) -> None:
    named = stages()["prepare"]["deps"]
    deps = [dep.replace("${item.converter}", converter) for dep in named]
    files = closure(ROOT / "pipeline" / "datasets" / f"{converter}.py")
    names = {file.relative_to(ROOT).as_posix() for file in files if not covered(file, deps)}
    assert names - PACKAGE_LINES <= NO_NUMBER
    assert "pipeline/datasets" not in named  # else a new converter would prepare all data anew


@pytest.mark.parametrize("stage", ENTRY)
def test_every_dependency_of_a_stage_is_there(stage: str) -> None:
    paths = [dep for dep in stages()[stage]["deps"] if "${" not in dep]
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("stage", ["extract", "train", "zeroshot", "report"])
def test_the_pinned_versions_of_libraries_are_a_dependency(stage: str) -> None:
    assert "constraints.txt" in stages()[stage]["deps"]

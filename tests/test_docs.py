"""README and docs: every command is taken word for word, every settings block is valid."""

import argparse
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import msgspec
import pytest
import yaml

from pipeline.config import Params
from tests.stage1_extract.conftest import write_params

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PLACES = {"NAME": "objects", "KEY": "chair-1", "N": "2", "FILE": "params.yaml"}
COMMAND = re.compile(r"`((?:python|torchrun|dvc|make|bash|pip|source) [^`]+)`")
TYPED = ("python ", "torchrun ", "dvc ", "make ", "bash ", "pip ", "source ")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def commands(page: Path) -> list[str]:
    """In blocks and in code spans, without comments."""
    lines = [line for block in blocks(page, "bash") for line in block.splitlines()]
    spans = [" ".join(span.split()) for span in COMMAND.findall(page.read_text())]
    found = [line.split("#")[0].strip() for line in lines] + spans
    return [command for command in dict.fromkeys(found) if command.startswith(TYPED)]


EVERY = [(page.name, command) for page in PAGES for command in commands(page)]


def words(command: str) -> list[str]:
    """As a shell has them; what is optional is there, and NAMEs are names."""
    typed = shlex.split(command.split(" > ")[0].replace("[", "").replace("]", ""))
    return [PLACES.get(word, word) for word in typed]


class Taken(Exception):
    """All arguments were understood."""


def takes(module: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> bool:
    parse = argparse.ArgumentParser.parse_args

    def parsed(parser: argparse.ArgumentParser, *given: object) -> None:
        parse(parser, *given)
        raise Taken

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    found = import_module(module)
    if hasattr(found, "__path__"):
        found = import_module(f"{module}.__main__")
    main = getattr(found, "main", None) or found._main
    try:
        main()
    except Taken:
        return True
    return not arguments  # one that takes none has run


@pytest.mark.parametrize(("page", "command"), EVERY)
def test_every_command_is_one_that_there_is(page: str, command: str, monkeypatch) -> None:
    program, *arguments = words(command)
    if program in ("python", "torchrun") and "-m" in arguments:
        module, *flags = arguments[arguments.index("-m") + 1 :]
        assert takes(module, flags, monkeypatch)
    elif program in ("python", "bash"):
        assert (ROOT / arguments[0]).is_file()
    elif program == "make":
        rules = (ROOT / "Makefile").read_text()
        assert all(f"\n{target}:" in rules for target in arguments)
    elif program == "pip" and arguments[-1].startswith(".["):
        (extra,) = re.findall(r"\[(\w+)\]", command)
        assert f"\n{extra} = [" in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    targets = re.findall(r"\]\(([^):#]+)\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_pages_are_short() -> None:
    lengths = {page.name: len(page.read_text().splitlines()) for page in PAGES}
    assert lengths.pop("README.md") <= 150
    del lengths["params.md"]
    assert max(lengths.values()) < 60


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """params.yaml with the sections of docs/real_clip.md, as its reader makes it."""
    (sections,) = blocks(ROOT / "docs" / "real_clip.md", "yaml")
    settings = yaml.safe_load((ROOT / "params.yaml").read_text()) | yaml.safe_load(sections)
    params = msgspec.convert(settings, Params, strict=False)
    (tmp_path / "demo").symlink_to(ROOT / "demo")
    return Path(write_params(params, tmp_path / "real.yaml"))


def test_a_real_clip_is_planned_as_its_page_says(real: Path) -> None:
    """Its commands that need neither data nor weights, word for word."""
    first = blocks(ROOT / "docs" / "real_clip.md", "bash")[0].splitlines()
    for command in first:
        typed = [sys.executable, *shlex.split(command)[1:]]
        answered = subprocess.run(
            typed, cwd=real.parent, capture_output=True, text=True, check=True,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
        )  # fmt: skip
        assert "student" in answered.stdout or "ViT-B-16" in answered.stdout

"""Every setting of a params file, as the page docs/params.md.

python -m pipeline.config_reference > docs/params.md
"""

import argparse
import ast
import inspect
import json
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from textwrap import dedent
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pipeline.config.params import Params
from pipeline.errors import exit_on_user_error

_TITLE = """# Every setting of a params file

Made from the code by `python -m pipeline.config_reference > docs/params.md`. NAME stands for names
of your own. A setting without a default must be given; one that is unknown, or of another type, is
refused with the nearest valid one.
"""
_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    NoneType: "null",
}


def main() -> None:
    """Command line."""
    argparse.ArgumentParser(
        prog="python -m pipeline.config_reference",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    print(reference(), end="")


def reference() -> str:
    """The page, in Markdown."""
    return _TITLE + "".join(f"\n{section}" for section in _sections(Params, ""))


def _sections(config: Any, path: str) -> Iterator[str]:
    """A table of a dataclass, then those of the dataclasses in it."""
    hints, said = get_type_hints(config), _docstrings(config)
    lines = (
        (f"`{field.name}`", _type(hints[field.name]), _default(field), said[field.name])
        for field in fields(config)
    )
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    title = f"## {path.removesuffix('.') or 'The file'}\n\n{_prose(config.__doc__)}\n\n"
    yield title + "| setting | type | default | |\n|---|---|---|---|\n" + table
    for field in fields(config):
        hint = hints[field.name]
        named = get_origin(hint) is dict and is_dataclass(get_args(hint)[1])
        inner = get_args(hint)[1] if named else hint
        if is_dataclass(inner):
            yield from _sections(inner, f"{path}{field.name}.{'NAME.' * named}")


def _docstrings(config: Any) -> dict[str, str]:
    """Field -> the text under it."""
    (declared,) = ast.parse(dedent(inspect.getsource(config))).body
    assert isinstance(declared, ast.ClassDef)
    return {
        field.target.id: _prose(text.value.value)
        for field, text in zip(declared.body, declared.body[1:])
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }


def _prose(text: object) -> str:
    return " ".join(str(text).split()).replace("|", r"\|")


def _type(hint: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in inner)
    if origin is dict:
        return "settings by name" if is_dataclass(inner[1]) else f"{_type(inner[1])} by name"
    if origin is tuple:
        return f"list of {_type(inner[0])}"
    if inner:
        return " or ".join(_type(each) for each in inner)
    return "settings" if is_dataclass(hint) else _WORDS.get(hint, "anything")


def _default(field: Field) -> str:
    if field.default is not MISSING:
        return f"`{json.dumps(field.default).strip(chr(34))}`"
    return "" if field.default_factory is MISSING else "its own"


if __name__ == "__main__":
    exit_on_user_error(main)

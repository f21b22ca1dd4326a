"""YAML made to unfold: bombs are refused in one line, ordinary aliases and merges are not."""

from pathlib import Path

import pytest

from pipeline.config import load_params
from pipeline.config.yaml_document import parse_yaml
from tests.pipeline.refusals import refused


def tower(form: str, height: int = 9, width: int = 9) -> str:
    """Nine times nine times ... what stands at the bottom."""
    floors = (
        f"a{n}: &a{n} " + form % ", ".join([f"*a{n - 1}"] * width) for n in range(1, height + 1)
    )
    return "\n".join(["a0: &a0 {k: v}", *floors])


BOMBS = {
    "aliases": (tower("[%s]"), "aliases written out"),
    "merge keys": (tower("{<<: [%s]}"), "aliases written out"),
    "a chain of merges": (tower("{<<: %s, x: {<<: *a0}}", 2000, 1), "aliases written out"),
    "one long text": ("a: &a " + "x" * 400_000 + "\nb: [" + "*a, " * 20_000 + "]", "written out"),
    "an alias of itself": ("a: &a [*a]", "stands for nothing that ends before it"),
    "a merge of itself": ("a: &a {<<: *a}", "stands for nothing that ends before it"),
    "an anchor given twice": ("a: &a 1\nb: &a 2", "stands for two values"),
    "deep flow": ("a: " + "[" * 300_000, "32 within each other"),
    "deep blocks": ("- " * 200_000, "32 within each other"),
    "many values": ("a: [" + "1, " * 150_000 + "]", "at most 50,000 values"),
    "code": ("!!python/object/apply:os.system [ls]", "the tag"),
    "a date of month 99": ("a: 2001-99-99", "not valid YAML"),
    "a wide character": ('"\\UFFFFFFFF"', "not valid YAML"),
    "a million digits": ("seed: " + "1" * 400_000, "not valid YAML"),
    "400 digits": ("seed: " + "1" * 400, "'seed' has 1326 bits"),
    "a wide key": ("0x" + "f" * 900 + ": 1", "a key that is no text"),
    "a key with a line break": ('"a\\nb": 1', "unknown key 'a b'"),
    "a path with NUL": ('shards: "a\\0b"', "'shards' is 'a"),
    "half a character": ('shards: "a\\ud800"', "'shards' is 'a"),
}


@pytest.mark.parametrize("case", BOMBS)
def test_a_bomb_is_refused(tmp_path: Path, case: str) -> None:
    text, said = BOMBS[case]
    (tmp_path / "params.yaml").write_text(text)
    line = refused(lambda: load_params(tmp_path / "params.yaml"))
    assert line.startswith(f"{tmp_path / 'params.yaml'}: ")
    assert said in line


def test_ordinary_aliases_and_merges_are_what_they_stand_for() -> None:
    text = "base: &base {a: 1, b: [x]}\nmore: {<<: *base, b: 2}\nagain: [*base, *base]"
    base = {"a": 1, "b": ["x"]}
    assert parse_yaml(text) == {"base": base, "more": {"a": 1, "b": 2}, "again": [base, base]}

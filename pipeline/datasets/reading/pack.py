"""The embedded pack's layout (demo/pack): JSON lines beside zips of members."""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.samples import UnreadableSample

LICENCE = "see demo/pack/LICENCES.md"
RESTORE = "restore it: git checkout demo/pack"


def records(raw: Path, name: str, split: str) -> list[dict[str, Any]]:
    """Lines of `name`.jsonl that belong to a split.

    Raises:
        UserError: as `read_lines`; every line has an id, captions and a split.
    """
    lines = read_lines(raw, name, ("id", "captions", "split"))
    return [line for line in lines if line["split"] == split]


def read_lines(raw: Path, name: str, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    """All lines of `name`.jsonl.

    Raises:
        UserError: the file is missing, or a line is not JSON or lacks one of `fields`.
    """
    path = raw / f"{name}.jsonl"
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    except FileNotFoundError:
        raise UserError(f"{path}: not found; expected the embedded pack, demo/pack") from None
    except ValueError as error:
        raise UserError(f"{path}: not JSON lines ({error})") from None
    for number, line in enumerate(lines, 1):
        if not isinstance(line, dict) or not line.keys() >= set(fields):
            expected = f"{', '.join(fields[:-1])} or {fields[-1]}"
            raise UserError(f"{path}: line {number} lacks {expected}; {RESTORE}")
    return lines


def classes(raw: Path, name: str) -> list[str]:
    """Class names of a part of the pack.

    Raises:
        UserError: classes.json is missing, is no JSON, or lacks that part.
    """
    path = raw / "classes.json"
    try:
        return json.loads(path.read_text())[name]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no class names of {name} ({error}); {RESTORE}") from None


class PackZip:
    """One zip of the pack, opened once."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: not a readable zip ({error}); {RESTORE}") from None

    def read(self, name: str) -> bytes:
        """Bytes of a member.

        Raises:
            UnreadableSample: it is missing or damaged.
        """
        try:
            return self._zip.read(name)
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise UnreadableSample(f"{name}: {error}") from None


def described(record: dict[str, Any], class_names: list[str], **more: Any) -> dict[str, bytes]:
    """`text.json` and `meta.json` of a record with captions and perhaps a class.

    `more` goes into meta.json, beside the id and the labels.

    Raises:
        UnreadableSample: the class is not one of `class_names`.
    """
    label = record.get("class")
    if label and label not in class_names:
        raise UnreadableSample(f"class '{label}' is not in classes.json")
    labels = [class_names.index(label)] if label else []
    meta = {"id": record["id"], "labels": labels, **more}
    return {
        "text.json": json.dumps({"captions": record["captions"]}).encode(),
        "meta.json": json.dumps(meta).encode(),
    }

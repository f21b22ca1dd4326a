"""The embedded pack's layout (demo/pack): JSON lines beside zips of members."""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.samples import UnreadableSample

LICENCE = "see demo/pack/LICENCES.md"


def records(raw: Path, name: str, split: str) -> list[dict[str, Any]]:
    """Lines of `name`.jsonl that belong to a split.

    Raises:
        UserError: the file is missing or a line is not JSON.
    """
    path = raw / f"{name}.jsonl"
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    except FileNotFoundError:
        raise UserError(f"{path}: not found; expected the embedded pack, demo/pack") from None
    except ValueError as error:
        raise UserError(f"{path}: not JSON lines ({error})") from None
    return [line for line in lines if line["split"] == split]


def classes(raw: Path, name: str) -> list[str]:
    """Class names of a part of the pack."""
    return json.loads((raw / "classes.json").read_text())[name]


class PackZip:
    """One zip of the pack, opened once."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (FileNotFoundError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: not a readable zip ({error}); restore demo/pack") from None

    def read(self, name: str) -> bytes:
        """Bytes of a member.

        Raises:
            UnreadableSample: it is missing or damaged.
        """
        try:
            return self._zip.read(name)
        except (KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise UnreadableSample(f"{name}: {error}") from None


def described(record: dict[str, Any], class_names: list[str]) -> dict[str, bytes]:
    """`text.json` and `meta.json` of a record with captions and perhaps a class."""
    label = record.get("class")
    meta = {"id": record["id"], "labels": [class_names.index(label)] if label else []}
    return {
        "text.json": json.dumps({"captions": record["captions"]}).encode(),
        "meta.json": json.dumps(meta).encode(),
    }

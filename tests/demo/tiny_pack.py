"""A few objects and pictures of the embedded pack, in its layout."""

import json
import zipfile
from pathlib import Path

from demo.nano_clip import PACK

CLASSES = ("chair", "table")
PICTURES = 4


def write_tiny_pack(folder: Path, labelled: int = 5, others: int = 3) -> Path:
    """Of each class some objects, some without a class, every picture's record but few pictures."""
    folder.mkdir(parents=True)
    lines = _records("objects")
    chosen = [
        line
        for label, count in (*((name, labelled) for name in CLASSES), (None, others))
        for line in [line for line in lines if line["class"] == label][:count]
    ]
    ids = {line["id"] for line in chosen}
    pictures = _records("pictures")[:PICTURES]
    depths = [line for line in _records("depths") if line["id"] in ids]
    for name, records in (("objects", chosen), ("pictures", pictures), ("depths", depths)):
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"{name}.jsonl").write_text(text)
    (folder / "classes.json").write_bytes((PACK / "classes.json").read_bytes())
    (folder / "build.json").write_text(json.dumps({"variants_kept_together": []}))
    for name in ("points", "renders", "depths", "pictures"):
        _copy_members(folder, name, ids | {line["id"] for line in pictures})
    return folder


def _records(name: str) -> list[dict]:
    return [json.loads(line) for line in (PACK / f"{name}.jsonl").read_text().splitlines()]


def _copy_members(folder: Path, name: str, ids: set[str]) -> None:
    with (
        zipfile.ZipFile(PACK / f"{name}.zip") as source,
        zipfile.ZipFile(folder / f"{name}.zip", "w") as target,
    ):
        for member in source.namelist():
            if member.split("/")[0].rsplit(".", 1)[0] in ids:
                target.writestr(member, source.read(member))

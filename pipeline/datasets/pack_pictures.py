"""Fluent 3D pictures of the embedded pack, with their Unicode names as captions."""

from functools import partial
from pathlib import Path
from typing import Any

from pipeline.datasets import RawDataset, RawItem
from pipeline.datasets.reading.pack import LICENCE, PackZip, described, records


def read(raw: Path, split: str) -> RawDataset:
    """List a split; there are no classes, only captions."""
    pictures = PackZip(raw / "pictures.zip")

    def members(record: dict[str, Any]) -> dict[str, bytes]:
        return {"image.webp": pictures.read(f"{record['id']}.webp"), **described(record, [])}

    items = [
        RawItem(line["id"], partial(members, line)) for line in records(raw, "pictures", split)
    ]
    return RawDataset(items, [], ("image",), LICENCE)

"""A raw folder of made files, converted by `python -m pipeline.prepare` in this process."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from ruamel.yaml import YAML

from pipeline import prepare as module
from pipeline.shards import ShardIndex, read_index, read_shard
from tests.tiny_world import tiny_params

Samples = dict[str, dict[str, bytes]]


def put(folder: Path, files: dict[str, bytes | str]) -> Path:
    """Write files below a folder; returns it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def converted(raw: Path, converter: str, modality: str, split: str = "train", **source: object):
    """The index of a split, and its samples by key."""
    root = raw.parent
    params: dict[str, Any] = msgspec.to_builtins(tiny_params(root))
    params["sources"]["mine"] = {
        "modality": modality, "converter": converter, "raw": str(raw), "splits": [split], **source,
    }  # fmt: skip
    with (root / "params.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(params, file)
    arguments = ["prepare", "--source", "mine", "--params", str(root / "params.yaml")]
    with patch("sys.argv", arguments):
        module.main()
    return read_back(root / "shards" / "mine" / split)


def read_back(folder: Path) -> tuple[ShardIndex, Samples]:
    """The index and the samples of a prepared split."""
    index = read_index(folder)
    return index, {key: it for shard in index.shards for key, it in read_shard(folder, shard)}


def labels(index: ShardIndex, samples: Samples) -> dict[str, list[str]]:
    """Key -> names of the sample's classes."""
    return {
        key: [index.classes[number] for number in json.loads(it["meta.json"])["labels"]]
        for key, it in samples.items()
    }


def rejected(raw: Path, split: str = "train") -> dict[str, str]:
    """Key -> why the sample was rejected."""
    lines = (raw.parent / "shards" / "mine" / split / "rejected.jsonl").read_text().splitlines()
    return {line["key"]: line["reason"] for line in map(json.loads, lines)}

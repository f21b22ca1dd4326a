"""A raw folder whose samples may be spoilt, prepared in small tars."""

import shutil
import zipfile
from pathlib import Path

from pipeline.config import Params
from pipeline.preparation import prepare
from pipeline.preparation.executors import Executor, in_this_process
from pipeline.shards import ShardIndex
from tests.tiny_world import tiny_params

SPLIT = "shards/objects/train"


def params_of(root: Path, **changes: object) -> Params:
    """The tiny world's params with the one source `objects`, changed."""
    source = {
        "modality": "points", "converter": "pack_objects", "raw": str(root / "pack"),
        "splits": ["train", "test"], "samples_per_shard": 3, "max_rejected": 0.9, **changes,
    }  # fmt: skip
    return tiny_params(root, sources={"objects": source, "renders": source})


def prepared(root: Path, executor: Executor = in_this_process, **changes: object) -> ShardIndex:
    """Prepare the training split of it."""
    return prepare(params_of(root, **changes), "objects", "train", root / "pack", executor)


def spoil(root: Path, *keys: str) -> None:
    """Make the clouds of some samples unreadable."""
    path = root / "pack" / "points.zip"
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, b"spoilt" if name.removesuffix(".npy") in keys else content)


def copy_of(root: Path, to: Path) -> Path:
    """Another raw folder of the same files, their times too."""
    shutil.copytree(root / "pack", to / "pack")
    return to

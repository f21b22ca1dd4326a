"""A folder in which the README's words work: the embedded pack in small, a run over it, own files.

Commands run in this process, whose imports they share.
"""

import os
import runpy
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
from msgspec import to_builtins
from ruamel.yaml import YAML

from pipeline.config import load_params
from pipeline.errors import exit_on_user_error
from tests.made_members import every_member
from tests.small_pack import small_pack

ROOT = Path(__file__).parents[1]
FILES = {
    "a.jpg": "image.jpg", "b.wav": "audio.flac", "c.npy": "points.npy", "d.mp4": "video.mp4",
    "sound.wav": "audio.flac",
}  # fmt: skip
LINKED = ("configs", "examples", "Makefile", "pyproject.toml", "constraints.txt")
SMALLER = {"epochs": 1, "batch_size": 24, "loader_workers": 0, "warmup_steps": 2}
BEFORE = [
    *(
        f"python -m pipeline.prepare --source {source}"
        for source in ("objects", "renders", "pictures", "depths", "turntables", "sounds")
    ),
    "python -m stage1_extract --teacher clip ulip vitlens",
    "python -m stage2_train",
    "python -m eval.export --ckpt runs/demo/student --files a.jpg --out index.npz",
    "python -m eval.zeroshot --ckpt runs/demo/student",
]
PLACES = {
    ("--source", "NAME"): "objects",
    ("--teacher", "NAME"): "ulip",
    ("--modality", "NAME"): "image",
    ("--workers", "N"): "1",
    ("--ckpt", "FOLDER"): "runs/demo/student",
    ("--to", "ORG/NAME"): "org/name",
    ("--files", "GLOB..."): "*.jpg",
    ("--out", "FILE.npz"): "found.npz",
    ("--index", "FILE.npz"): "index.npz",
    ("--out", "FILE.pt2"): "image.pt2",
    ("--text", "TEXT"): "a red chair",
    ("--file", "FILE"): "a.jpg",
}
"""Option and a placeholder behind it -> what a reader puts there; of a key, the first."""


def make(root: Path) -> None:
    """The present folder becomes one in which everything has run once."""
    small_pack(root / "demo" / "pack", objects=12, pictures=6, sounds=16)
    shutil.copytree(ROOT / "demo" / "nano", root / "demo" / "nano")
    for name in LINKED:
        (root / name).symlink_to(ROOT / name)
    (root / ".venv").symlink_to(sys.prefix)
    for name, member in FILES.items():
        (root / name).write_bytes(every_member()[member])
    settings = to_builtins(load_params(str(ROOT / "params.yaml")))
    settings["train"] |= SMALLER
    YAML(typ="safe", pure=True).dump(settings, root / "params.yaml")
    for command in BEFORE:
        follow(command)


def typed(command: str) -> list[str]:
    """As a shell has it; what is optional is there, and placeholders are filled."""
    words = shlex.split(command.split(" > ")[0].replace("[--", "--").replace("]", ""))
    filled = [PLACES.get(pair, pair[1]) for pair in zip(["", *words], words)]
    return [word if word != "KEY" else _first_key() for word in filled]


def _first_key() -> str:
    return Path("demo/pack/objects.jsonl").read_text().split('"id": "')[1].split('"')[0]


def follow(command: str) -> None:
    """Run a command in the present folder; what it says is on this process's streams."""
    program, *arguments = typed(command)
    if program != "python":
        subprocess.run(["bash", "-ec", command], check=True, env=os.environ | {"TERM": "dumb"})
        return
    sys.argv = arguments if arguments[0] != "-m" else arguments[1:]
    try:
        _run(module=arguments[0] == "-m")
    except SystemExit as end:
        if end.code:
            raise AssertionError(f"{command}: {end.code}") from None


def _run(module: bool) -> None:
    """What `sys.argv` names."""
    name = sys.argv[0]
    if not module:
        runpy.run_path(name, run_name="__main__")
        return
    found = import_module(name)
    if hasattr(found, "__path__"):
        found = import_module(f"{name}.__main__")
    exit_on_user_error(found.main)


def cloud() -> np.ndarray:
    """What the README's reader has as a batch of its own, float32 [2, N, 3] in the unit sphere."""
    return np.random.default_rng(0).uniform(-0.5, 0.5, (2, 200, 3)).astype(np.float32)

"""Weights files: where they come from and what their bytes are; `pipeline.checkpoint` reads them.

    python -m pipeline.weights convert IN OUT

rewrites a checkpoint that holds more than tensors (numpy numbers and arrays, paths, an
`argparse.Namespace`, as training scripts of the time saved them) as one that
`torch.load(weights_only=True)` reads. It allows those types by name and nothing else, so no code
from the file can run; paths become texts. Teachers' files need it only for arrays and paths.
"""

import argparse
import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download, try_to_load_from_cache

from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import importing
from pipeline.small_files import kind_of
from pipeline.torch_file import first_line

HUB_SCHEME = "hf://"


def resolve_weights(spec: str) -> Path:
    """Return the local file that `spec` names, downloading it into the hub's cache if need be.

    `spec` is a path, or `hf://ORG/REPO[@REVISION]/FILE`, or `hf://datasets/ORG/REPO/FILE` for a
    file in a dataset repository. `HF_ENDPOINT` and `HF_HOME` are honoured.
    """
    if spec.startswith(HUB_SCHEME):
        return _download(spec)
    path = Path(spec).expanduser()
    if not path.is_file():
        raise UserError(
            f"{spec}: expected a weights file, found {kind_of(path)} there; "
            "give the path of the published file or hf://ORG/REPO/FILE"
        )
    return path


def file_here(spec: str) -> Path | None:
    """The same file where it lies on this machine, None where it does not; no download."""
    if not spec.startswith(HUB_SCHEME):
        path = Path(spec).expanduser()
        return path if path.is_file() else None
    repo, name, options = _hub_address(spec)
    found = try_to_load_from_cache(repo, name, **options)
    return Path(found) if isinstance(found, str) else None


def _download(spec: str) -> Path:
    repo, name, options = _hub_address(spec)
    try:
        return Path(hf_hub_download(repo, name, **options, endpoint=os.environ.get("HF_ENDPOINT")))
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{spec}: could not be downloaded ({first_line(error)}); "
            "check the name and HF_ENDPOINT, or download it yourself and give its path"
        ) from error


def _hub_address(spec: str) -> tuple[str, str, dict[str, Any]]:
    """Repository, file, and the kind and revision of the repository."""
    parts = spec.removeprefix(HUB_SCHEME).split("/")
    repo_type = "dataset" if parts[0] == "datasets" else None
    parts = parts[1:] if repo_type else parts
    if len(parts) < 3 or not all(parts):
        raise UserError(f"{spec}: expected hf://ORG/REPO/FILE or hf://datasets/ORG/REPO/FILE")
    repo, _, revision = parts[1].partition("@")
    options = {"repo_type": repo_type, "revision": revision or None}
    return f"{parts[0]}/{repo}", "/".join(parts[2:]), options


def file_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes, read again only when it has changed.

    Every store of a teacher asks for its weights, which may be gigabytes.
    """
    there = path.stat()
    return _sha256(path, there.st_ino, there.st_size, there.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: Path, *identity: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.weights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command = parser.add_subparsers(required=True).add_parser(
        "convert", help="rewrite IN with plain numbers, dicts and tensors only"
    )
    command.add_argument("source", metavar="IN", type=Path)
    command.add_argument("target", metavar="OUT", type=Path)
    arguments = parser.parse_args()
    with importing():
        from pipeline.unpickling import convert

    convert(arguments.source, arguments.target)


if __name__ == "__main__":
    exit_on_user_error(main)

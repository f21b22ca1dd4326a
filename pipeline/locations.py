"""Folders on this machine, or behind an fsspec URL such as `s3://bucket/cache`.

Of a URL the path is a `UPath`, which has the methods of a `Path`. An object store has no folders to
make, no locks and no partial files: each object is put whole, so nothing half written is ever
there.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from upath import UPath

from pipeline.errors import UserError

_SECRET = re.compile(r"://[^/@:]+:\S+@|\?[^=]*=")


def path_or_url(where: str | Path) -> Path:
    """The path of a folder or file; of a URL one that reads and writes there.

    Raises:
        UserError: it holds credentials, nothing here reads such URLs, or the server cannot be
            reached or refuses.
    """
    if "://" not in str(where):
        return Path(where)
    if _SECRET.search(str(where)):
        raise UserError(
            f"{where}: expected an address without credentials, which files and messages would "
            "repeat; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or fsspec's own settings"
        )
    try:
        # Other processes write there too, so no listing is kept
        path = UPath(where, use_listings_cache=False)
        path.fs.exists(path.path)
    except (ImportError, ValueError) as error:
        why = " ".join(str(error).split())
        raise UserError(f'{where}: {why}; for s3:// run: pip install -e ".[s3]"') from None
    except Exception as error:  # every server has its own
        why = " ".join(str(error).split())
        raise UserError(
            f"{where}: cannot be reached ({why}); check the address, AWS_ENDPOINT_URL and the "
            "credentials"
        ) from None
    return cast(Path, path)


def is_remote(path: Path) -> bool:
    """Whether a path lies behind a URL."""
    return not isinstance(path, Path)


def behind_link(folder: Path) -> Path:
    """The folder that a link names, which can be given another's place; else the folder itself."""
    return folder.resolve() if not is_remote(folder) and folder.is_symlink() else folder


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where there are folders."""
    if not is_remote(folder):
        folder.mkdir(parents=True, exist_ok=True)


def remove(path: Path) -> None:
    """Delete a file, a link, or a folder with what is in it; nothing where there is nothing."""
    if is_remote(path):
        remote = cast(UPath, path)
        if remote.fs.exists(remote.path):
            remote.fs.rm(remote.path, recursive=True)
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def move(folder: Path, target: Path) -> None:
    """Give a folder another name; what lies at the target is replaced."""
    remove(target)
    if is_remote(folder):
        one, other = cast(UPath, folder), cast(UPath, target)
        files = one.fs.find(one.path)
        for file in files:
            one.fs.cp_file(file, other.path + file[len(one.path) :])
        remove(folder)
    else:
        folder.rename(target)


@contextmanager
def filled(folder: Path) -> Iterator[Path]:
    """A local folder to write files into: this one, or of one behind a URL another, whose files
    are put there when the block ends well."""
    if not is_remote(folder):
        yield folder
        return
    with TemporaryDirectory() as local:
        yield Path(local)
        for file in sorted(Path(local).iterdir()):
            remote = cast(UPath, folder / file.name)
            remote.fs.put_file(str(file), remote.path)


def publish(folder: Path, target: Path, last: str) -> None:
    """Give the files in a folder behind a URL another place, the one named `last` after all
    others; then delete there what an older folder had beside them."""
    files = sorted(folder.iterdir(), key=lambda file: (file.name == last, file.name))
    for file in files:
        one, other = cast(UPath, file), cast(UPath, target / file.name)
        one.fs.cp_file(one.path, other.path)
    for file in target.iterdir():
        if file.name not in {kept.name for kept in files}:
            file.unlink()

"""What a worker is told of the run that its tasks belong to."""

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.commands import params_file, use_params_file
from pipeline.config import Params
from pipeline.errors import UserError


@dataclass(frozen=True)
class Job:
    """A run as its workers know it. Equal to itself alone, so that none meets what another left."""

    params: Params = field(compare=False)
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    folder: str = field(compare=False, default_factory=lambda: str(Path.cwd()))
    """Where the client runs: relative paths of the params start there."""
    params_file: str = field(compare=False, default_factory=params_file)
    """What messages recommend commands over."""


@contextmanager
def located(job: Job) -> Iterator[None]:
    """An error of a worker in another folder says so: it may have found nothing for that reason."""
    use_params_file(job.params_file)
    try:
        yield
    except UserError as error:
        here = str(Path.cwd())
        if here == job.folder:
            raise
        where = f"worker on {socket.gethostname()} in {here}, the run is in {job.folder}"
        raise UserError(f"{where}: {error}") from None

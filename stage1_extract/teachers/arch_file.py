"""A JSON file that describes an architecture, read within bounds that every published one keeps."""

from pathlib import Path
from typing import Annotated, TypeVar

from msgspec import Meta

from pipeline.errors import UserError
from pipeline.small_files import read_json

Size = Annotated[int, Meta(ge=1, le=1 << 18)]
"""A width, a length, a vocabulary, or a number of heads or tokens."""
Depth = Annotated[int, Meta(ge=1, le=256)]
"""A number of layers: each is built before the weights are looked at."""
Ratio = Annotated[float, Meta(gt=0, le=64)]
"""One width over another."""
Arch = TypeVar("Arch")


def read_arch(path: Path, declared: type[Arch]) -> Arch:
    """The architecture that a file describes.

    Raises:
        UserError: it is missing, not JSON, or has other fields or sizes than there can be.
    """
    mend = f"expected JSON with the fields of {declared.__name__}"
    try:
        return read_json(path, declared, mend)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {mend}") from None

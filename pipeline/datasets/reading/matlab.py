"""Arrays of MATLAB's older .mat files (before 7.3), which are no HDF5."""

import io
from pathlib import Path
from typing import Any

import scipy.io

from pipeline.errors import UserError
from pipeline.small_files import read_small

_MEND = "put the dataset's own file there"


def read_mat(path: Path, *names: str) -> tuple[Any, ...]:
    """Variables of a file, with axes of one entry taken away, cells as arrays of objects.

    Raises:
        UserError: it is missing, is no such file, or lacks one of them.
    """
    try:
        data = read_small(path, _MEND)
        found = scipy.io.loadmat(io.BytesIO(data), squeeze_me=True, variable_names=list(names))
        return tuple(found[name] for name in names)
    except FileNotFoundError:
        raise UserError(f"{path}: not found; {_MEND}") from None
    except KeyError as error:
        raise UserError(f"{path}: no variable {error}; {_MEND}") from None
    except UserError:
        raise
    except Exception as error:  # damaged files make its parser raise nearly anything
        raise UserError(f"{path}: no readable .mat file ({error}); {_MEND}") from None

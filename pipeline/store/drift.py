"""A word in a store that its teacher no longer gives what is cached; nothing trains on it then.

Written when rows that were computed again differ, withdrawn when they no longer do.
"""

from pathlib import Path

import msgspec

from pipeline.atomic import write_atomically
from pipeline.errors import UserError
from pipeline.locations import remove
from pipeline.small_files import read_json
from pipeline.store.layout import repair_command

FILE = "drifted.json"


class _Drift(msgspec.Struct):
    cosine: float


def note_drift(store: Path, cosine: float) -> None:
    """Say that a row of a store and the same row now have this cosine."""
    write_atomically(store / FILE, msgspec.json.encode(_Drift(cosine)))


def withdraw_drift(store: Path) -> None:
    """Take that word back."""
    remove(store / FILE)


def refuse_drifted(store: Path) -> None:
    """Raise `UserError` where a store is known to differ from what its teacher gives."""
    path = store / FILE
    try:
        cosine = read_json(path, _Drift, "").cosine
    except FileNotFoundError:
        return
    except UserError:
        cosine = float("nan")
    raise UserError(
        f"{path}: the teacher no longer gives what is cached here (least cosine {cosine:.6f}); put "
        f"its code and files back, or extract anew: {repair_command(store)}"
    )

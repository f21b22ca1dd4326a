"""What determined a store's numbers, and the fingerprint that stands for it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pipeline.atomic import write_atomically
from pipeline.errors import UserError

FILE = "provenance.json"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Written beside the arrays. `determines` makes the fingerprint; `notes` only inform."""

    determines: Mapping[str, Any]
    """Teacher, views, source and storage: change one and the numbers change."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Licence, library versions and the like."""

    @property
    def fingerprint(self) -> str:
        """blake2b-128 over the canonical JSON of `determines`, hexadecimal."""
        return _hash(self.determines)

    def differences(self, expected: Mapping[str, Any]) -> list[str]:
        """`field is X, expected Y` for every expected field that is otherwise here."""
        mine = dict(_leaves(self.determines))
        return [
            f"{name} is {mine.get(name)!r}, expected {value!r}"
            for name, value in _leaves(expected)
            if mine.get(name) != value
        ]

    def write(self, store: Path) -> None:
        """Write `provenance.json`."""
        content = {"determines": self.determines, "notes": self.notes}
        sealed = {"fingerprint": self.fingerprint, **content, "seal": _hash(content)}
        text = json.dumps(sealed, indent=1, sort_keys=True)
        write_atomically(store / FILE, text.encode() + b"\n")

    @classmethod
    def read(cls, store: Path, mend: str) -> "Provenance":
        """Read and check `provenance.json`; `mend` is the command that an error recommends.

        Raises:
            UserError: missing, broken, or its fingerprint does not fit its own content.
        """
        path = store / FILE
        try:
            content = json.loads(path.read_bytes())
            provenance = cls(determines=content["determines"], notes=content["notes"])
            seal = _hash({"determines": provenance.determines, "notes": provenance.notes})
            intact = (content["fingerprint"], content["seal"]) == (provenance.fingerprint, seal)
        except FileNotFoundError:
            raise UserError(f"{path}: no feature store there; run: {mend}") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            intact = False
        if not intact:
            raise UserError(
                f"{path}: damaged, its fingerprint and seal do not fit its content; "
                f"delete {store} and run: {mend}"
            )
        return provenance


def _hash(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return blake2b(canonical.encode(), digest_size=16).hexdigest()


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value

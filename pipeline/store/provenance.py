"""What determined a store's numbers, and the fingerprint that stands for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pipeline.atomic import write_atomically
from pipeline.errors import UserError
from pipeline.identity import differences, fingerprint
from pipeline.small_files import read_json

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
        return fingerprint(self.determines)

    def differences(self, expected: Mapping[str, Any]) -> list[str]:
        """`field is X, expected Y` for every expected field that is otherwise here."""
        return differences(self.determines, expected)

    def write(self, store: Path) -> None:
        """Write `provenance.json`."""
        content = {"determines": self.determines, "notes": self.notes}
        sealed = {"fingerprint": self.fingerprint, **content, "seal": fingerprint(content)}
        text = json.dumps(sealed, indent=1, sort_keys=True)
        write_atomically(store / FILE, text.encode() + b"\n")

    @classmethod
    def read(cls, store: Path, mend: str) -> "Provenance":
        """Read and check `provenance.json`; `mend` is the command that an error recommends.

        Raises:
            UserError: missing, broken, or its fingerprint does not fit its own content.
        """
        path = store / FILE
        mend_it = f"delete {store} and run: {mend}"
        try:
            content = read_json(path, _Sealed, mend_it)
        except FileNotFoundError:
            raise UserError(f"{path}: no feature store there; run: {mend}") from None
        provenance = cls(determines=content.determines, notes=content.notes)
        seal = fingerprint({"determines": provenance.determines, "notes": provenance.notes})
        if (content.fingerprint, content.seal) != (provenance.fingerprint, seal):
            raise UserError(
                f"{path}: damaged, its fingerprint and seal do not fit its content; {mend_it}"
            )
        return provenance


class _Sealed(msgspec.Struct):
    """The file's content."""

    determines: dict[str, Any]
    notes: dict[str, Any]
    fingerprint: str = ""
    seal: str = ""

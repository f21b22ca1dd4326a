"""What determines the tars of a split: another of it, and what an interrupted run left is done
anew."""

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pipeline.config import Params, SourceConfig
from pipeline.datasets import RawDataset
from pipeline.preparation.listing import converter


def recipe(source: SourceConfig, seed: int) -> dict[str, Any]:
    """What index.json says of how its tars were made."""
    own = {"settings": source.settings} if source.settings else {}
    return {"converter": source.converter, "seed": seed, **source.options, **own}


def identity(params: Params, name: str, dataset: RawDataset, raw: Path) -> str:
    """Digest of the recipe, the converter, and the raw split as far as listing it tells.

    Of the raw files it covers what lies right in their folder, by size and time; who changes
    others between a killed run and the next one removes the .partial folder.
    """
    source = params.sources[name]
    known = {
        "recipe": recipe(source, params.seed),
        "modality": source.modality,
        "samples_per_shard": source.samples_per_shard,
        "code": _code(source.converter),
        "files": [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in _files(raw)],
        "keys": sorted(item.key for item in dataset.items),
        "classes": dataset.classes,
        "members": dataset.members,
    }
    return blake2b(json.dumps(known).encode(), digest_size=16).hexdigest()


def _code(name: str) -> str:
    """The text of the converter, which its author may mend between two runs."""
    return Path(str(converter(name).__file__)).read_text()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())

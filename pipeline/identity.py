"""Identities: everything that determines a number, put together in this one place.

A number may depend on nothing that its identity does not hold:

    a CLIP's       weights, sizes and activation, preprocessing constants, merges
    a store's      the teacher's, the views' seed, chain and sizes, template texts, precision; the
                   content of each tar stands in its marker, class names seal the label texts
    a training's   settings, the student's CLIP, its stores', tars, label texts and captions

An identity is a tree of plain values. Its fingerprint stands for it; where two differ, the first
field that does is named.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pipeline.shards import ShardIndex
from pipeline.weights import file_sha256

_NOTES = ("teacher", "arch", "weights")
"""What a teacher's provenance tells beside what its numbers depend on."""


def fingerprint(identity: Any, size: int = 16) -> str:
    """blake2b over the canonical JSON of an identity, hexadecimal, of `size` bytes."""
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return blake2b(canonical.encode(), digest_size=size).hexdigest()


def differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """`field is X, expected Y` for every expected field that is otherwise in `found`."""
    mine = dict(_leaves(found))
    return [
        f"{name} is {mine.get(name)!r}, expected {value!r}"
        for name, value in _leaves(expected)
        if mine.get(name) != value
    ]


def clip_identity(
    weights: Path, config: Mapping[str, Any], preprocessing: str, merges: Path | None
) -> dict[str, str]:
    """Of a CLIP, as teacher, as anchor and as the student's trunk.

    Args:
        weights: its checkpoint.
        config: open_clip's `model_cfg`, the activation resolved.
        preprocessing: its constants in words.
        merges: the tokenizer's file, None for open_clip's own.
    """
    return {
        "weights_sha256": file_sha256(weights),
        "activation": "QuickGELU" if config.get("quick_gelu") else "GELU",
        "model": fingerprint({**config, "quick_gelu": bool(config.get("quick_gelu"))}),
        "preprocessing": preprocessing,
        "merges_sha256": file_sha256(merges) if merges else "open_clip",
    }


def teacher_identity(
    name: str, arch: Mapping[str, str], precision: str, known: Mapping[str, str]
) -> dict[str, str]:
    """Of a teacher.

    Args:
        name: in the registry.
        arch: its name, or the hash of the file that describes it (`architecture_identity`).
        precision: of its forward pass.
        known: its provenance (stage 1), or as much of it as a reader can know (stage 2).
    """
    determining = {field: value for field, value in known.items() if field not in _NOTES}
    return {**determining, "name": name, **arch, "precision": precision}


def architecture_identity(arch: str, described: Path) -> dict[str, str]:
    """An architecture's name, or the content of the file that describes it, if there is one."""
    return {"arch_sha256": file_sha256(described)} if described.is_file() else {"arch": arch}


def templates_identity(name: str, texts: Sequence[str]) -> dict[str, str]:
    """Prompt templates: their name beside their very texts' hash."""
    return {"prompts": name, "templates": fingerprint(list(texts))}


def store_identity(
    *,
    teacher: Mapping[str, str],
    views: Mapping[str, Any],
    index: ShardIndex,
    templates: Mapping[str, str],
    storage: Mapping[str, Any],
) -> dict[str, Any]:
    """What both stages know of a feature store.

    Args:
        teacher: `teacher_identity`.
        views: chain, seed and sizes (`ViewMaker.recipe`).
        index: the dataset split; its tars' hashes stand in the markers, tar by tar.
        templates: `templates_identity` of the label texts.
        storage: layout and dtype.
    """
    return {
        "teacher": dict(teacher),
        "views": dict(views),
        "source": {"dataset": index.dataset, "split": index.split, "modality": index.modality},
        "text": dict(templates),
        "storage": {**storage, "rows_per_shard": index.samples_per_shard},
    }


def training_identity(
    *,
    settings: Mapping[str, Any],
    clip: Mapping[str, str],
    indexes: Mapping[str, ShardIndex],
    templates: Mapping[str, Mapping[str, str]],
    stores: Mapping[str, str],
) -> dict[str, Any]:
    """What determines a training, but not the number of ranks.

    Args:
        settings: params that it depends on.
        clip: `clip_identity` of the student's.
        indexes: source -> its split.
        templates: source -> `templates_identity` of its label texts.
        stores: extraction -> fingerprint of its store.
    """
    return {
        "params": dict(settings),
        "clip": dict(clip),
        "sources": {
            source: {
                "tars": [shard.xxh3 for shard in index.shards],
                "texts": fingerprint([index.words, index.captions]),
                **templates[source],
            }
            for source, index in indexes.items()
        },
        "stores": dict(stores),
    }


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value

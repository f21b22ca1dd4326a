"""A made world for `benchmarks.gpu`: files of real datasets' sizes, models of the official layouts.

The media of `benchmarks.view_members`, as the preparation stores them; a CLIP, a ULIP-1 and two
ViT-Lens-L with random weights. For speed only.
"""

import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import view_members
from pipeline.config import Params, SourceConfig
from pipeline.shards import FORMAT, ROWS, ShardIndex, ShardInfo, write_index, write_shard
from pipeline.transcoding import transcoded

CLASSES = ["chair", "lamp", "car", "dog", "piano", "guitar", "bed", "plane", "boat", "bottle"]
PAIRS = {
    "images": ("image", "clip"),
    "clips": ("video", "clip"),
    "clouds": ("points", "ulip"),
    "depths": ("depth", "vitlens"),
    "sounds": ("audio", "vitlens"),
}
"""Source -> modality and teacher."""
OPTIONS: dict[str, dict[str, int]] = {
    "images": {"short_side": 256},
    "clips": {"short_side": 256, "keyframe_every": 24},
    "sounds": {"sample_rate": 16000},
}
"""Of sources, as docs/params.md tells them."""


@dataclass(frozen=True)
class Scale:
    """How much is made of what."""

    samples: dict[str, int]
    """Of each source, in tars that are there `repeats` times."""
    a_tar: int
    repeats: int
    clip: dict[str, Any] | None
    """open_clip's config of the CLIP; None for ViT-B/16."""
    teachers: dict[str, dict[str, Any]] | None
    """Fields of the arch files; None for the official sizes."""
    views: dict[str, Any]
    student: dict[str, Any]
    batch: int
    """Samples of a training step."""
    encoded: int
    """Views in a batch of stage 1."""
    loaders: int


FULL = Scale(
    samples={"images": 2048, "clips": 384, "clouds": 768, "depths": 768, "sounds": 768},
    a_tar=256,
    repeats=5,
    clip=None,
    teachers=None,
    views={"image_size": 224, "video_frames": 8, "video_stride": 8, "points": 8192},
    student={},
    batch=512,
    encoded=256,
    loaders=15,
)
_TINY_TEXT = {"width": 16, "layers": 1, "heads": 2}
TINY = Scale(
    samples=dict.fromkeys(PAIRS, 12),
    a_tar=6,
    repeats=2,
    clip={
        "embed_dim": 16,
        "vision_cfg": {
            "image_size": 32, "patch_size": 16, "width": 32, "layers": 2, "head_width": 16,
        },
        "text_cfg": {
            "context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1,
        },
    },
    teachers={
        "ulip": {
            "width": 24, "depth": 1, "heads": 2, "groups": 8, "group_size": 4, "group_dim": 8,
            "dim": 12, "text": _TINY_TEXT,
        },
        "depth": {
            "lens": {"modality": "depth", "image_size": 32, "patch_size": 16}, "width": 32,
            "layers": 1, "heads": 2, "dim": 12, "text": _TINY_TEXT,
        },
        "audio": {
            "lens": {"modality": "audio", "frames": 64, "patch_size": 64, "stride": 64},
            "width": 32, "layers": 1, "heads": 2, "dim": 12, "text": _TINY_TEXT,
        },
    },
    views={
        "image_size": 32, "video_frames": 2, "video_stride": 2, "points": 64,
        "audio_seconds": 0.5,
    },
    student={
        "points": {"groups": 8, "group_size": 4, "widths": [8, 16, 16]}, "video": {"frames": 2},
        "audio": {"seconds": 0.5},
    },
    batch=16,
    encoded=8,
    loaders=1,
)  # fmt: skip
"""For a dry run without a GPU."""


def make_world(root: Path, scale: Scale) -> Params:
    """Write shards and weights below `root`; the params of a run over them."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(mp_context=context) as pool:
        weights_of = make_teachers(pool, root, scale)
        write_shards(root, scale)
        teachers = weights_of()
    weights = {"batch_size": scale.encoded, "precision": "bfloat16"}
    sections = {
        "seed": 0,
        "shards": str(root / "shards"),
        "cache": str(root / "cache"),
        "sources": {name: source_of(name) for name in PAIRS},
        "views": {"count": 2, **scale.views},
        "teacher_files": str(root),
        "teachers": {name: weights | model for name, model in teachers.items()},
        "extract": {
            f"{teacher}-{name}": {"teacher": teacher, "source": name}
            for name, (_, teacher) in PAIRS.items()
        },
        "student": {
            "modalities": ["image", "video", "points", "depth", "audio"], "projector": "mlp",
            "weights": None, **teachers["clip"], **scale.student,
        },
        "train": {
            "out": str(root / "run"), "batch_size": scale.batch, "warmup_steps": 10,
            "teachers": [f"{teacher}-{name}" for name, (_, teacher) in PAIRS.items()],
            "sources": {"images": 4, "clouds": 2, "depths": 1, "sounds": 5, "clips": 4},
            "loader_workers": scale.loaders,
        },
    }  # fmt: skip
    return msgspec.convert({**sections, "benchmarks": {}}, Params)


def make_teachers(
    pool: ProcessPoolExecutor, root: Path, scale: Scale
) -> Callable[[], dict[str, dict[str, Any]]]:
    """Begin with the weights of every teacher; the result waits for them, and tells what the
    params say of each."""
    from benchmarks.gpu_models import make_clip, make_ulip, make_vitlens

    fields = scale.teachers or {}
    clip = pool.submit(make_clip, root / "clip", scale.clip)
    ulip = pool.submit(make_ulip, root, fields.get("ulip"))
    lenses = {
        modality: pool.submit(make_vitlens, root, modality, fields.get(modality))
        for modality in ("depth", "audio")
    }

    def finished() -> dict[str, dict[str, Any]]:
        both = {modality: lens.result() for modality, lens in lenses.items()}
        vitlens = {key: {m: lens[key] for m, lens in both.items()} for key in ("arch", "weights")}
        return {"clip": clip.result(), "ulip": ulip.result(), "vitlens": vitlens}

    return finished


def write_shards(root: Path, scale: Scale) -> None:
    """Prepared shards of every source: one sample under many keys."""
    for name, (modality, _) in PAIRS.items():
        folder, count, media = root / "shards" / name / "train", scale.samples[name], stored(name)
        folder.mkdir(parents=True)
        written = [
            write_shard(
                folder / f"{first // scale.a_tar:06d}.tar",
                [
                    (f"{name}-{number}", media | _words(name, number % len(CLASSES)))
                    for number in range(first, min(count, first + scale.a_tar))
                ],
            )
            for first in range(0, count, scale.a_tar)
        ]
        infos = [*written, *repeated(folder, written, scale.repeats)]
        index = ShardIndex(
            format=FORMAT, dataset=name, split="train", modality=modality, classes=CLASSES,
            captions=[], licence="made", samples_per_shard=max(info.count for info in infos),
            shards=infos, recipe={"converter": "made", "seed": 0},
        )  # fmt: skip
        write_index(folder, index)


def source_of(name: str) -> dict[str, Any]:
    """A source's section of the params."""
    return {"modality": PAIRS[name][0], "converter": "made", "raw": "made", **OPTIONS.get(name, {})}


def repeated(folder: Path, tars: list[ShardInfo], times: int) -> Iterator[ShardInfo]:
    """The same tars under other names, `times` in all."""
    for number in range(len(tars), times * len(tars)):
        tar, name = tars[number % len(tars)], f"{number:06d}.tar"
        for end in ("", ROWS):
            (folder / (name + end)).hardlink_to(folder / (tar.name + end))
        yield msgspec.structs.replace(tar, name=name)


def stored(source: str) -> dict[str, bytes]:
    """A sample's media, as the preparation stores them."""
    jpeg = view_members.jpeg
    media: dict[str, Callable[[], dict[str, bytes]]] = {
        "images": lambda: {"image.jpg": jpeg()},
        "clips": lambda: view_members.clip(250, (340, 256)),
        "clouds": lambda: {"points.npy": view_members.cloud(), "image.jpg": jpeg(256, 256)},
        "depths": lambda: {**view_members.depth(), "image.jpg": jpeg(640, 480)},
        "sounds": lambda: {"audio.flac": view_members.sound(), "image.jpg": jpeg(340, 256)},
    }
    return transcoded(media[source](), msgspec.convert(source_of(source), SourceConfig))


def _words(source: str, label: int) -> dict[str, bytes]:
    sensor = {"depth": view_members.SENSOR} if source == "depths" else {}
    return {
        "meta.json": json.dumps({"labels": [label], **sensor}).encode(),
        "text.json": json.dumps({"captions": [f"a {CLASSES[label]}"]}).encode(),
    }

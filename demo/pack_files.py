"""The files of the embedded pack."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from demo.archives import npy_bytes, write_zip
from demo.captions import object_captions, picture_captions
from demo.catalogue import CatalogueEntry
from demo.classes import RULES, class_of
from demo.licences import licences_page
from demo.object_files import QUALITY, ObjectFiles, make_objects
from demo.pictures import list_pictures, load_picture
from demo.render import webp_bytes
from demo.sound_classes import sound_labels
from demo.sounds import build_sounds
from demo.sources import RawMaterial
from demo.splits import duplicate_groups, split


def build(raw: RawMaterial, out: Path) -> None:
    """Write every file of the pack to `out` and print a summary."""
    out.mkdir(parents=True, exist_ok=True)
    summary = _build_objects(raw.furniture, out)
    summary |= _build_pictures(raw.pictures, out)
    summary |= build_sounds(raw.soundfont, out)
    (out / "build.json").write_text(json.dumps(summary, indent=1) + "\n")
    (out / "classes.json").write_text(json.dumps(_class_names(), indent=1) + "\n")
    for path in sorted(out.iterdir()):
        print(f"{path.stat().st_size:>9} {path}")


def _build_objects(folder: Path, out: Path) -> dict[str, Any]:
    made = make_objects(folder)
    good = {item.entry.id: item for item in made if not item.problem}
    clouds = {key: item.points for key, item in good.items() if item.points is not None}
    groups = duplicate_groups(clouds, {key: item.counts for key, item in good.items()})
    labels = {key: class_of(item.entry) for key, item in good.items()}
    test = split(labels, groups)
    records = [_record(good[key].entry, key in test) for key in sorted(good)]
    _write_lines(out / "objects.jsonl", _captioned(records, object_captions))
    (out / "LICENCES.md").write_text(licences_page(records))
    write_zip(out / "points.zip", {f"{k}.npy": npy_bytes(v) for k, v in clouds.items()}, True)
    _write_renders(good, out)
    _write_depths(good, out)
    clips = {f"{key}.mp4": item.clip for key, item in good.items() if item.clip}
    write_zip(out / "clips.zip", clips, False)
    _print_classes(records)
    return {
        "objects": len(records),
        "clips": len(clips),
        "rejected": {item.entry.id: item.problem for item in made if item.problem},
        "variants_kept_together": [group for group in groups if len(group) > 1],
    }


def _write_renders(objects: Mapping[str, ObjectFiles], out: Path) -> None:
    renders = {
        f"{key}/{camera}.webp": content
        for key, item in objects.items()
        for camera, content in item.renders.items()
    }
    write_zip(out / "renders.zip", renders, False)


def _write_depths(objects: Mapping[str, ObjectFiles], out: Path) -> None:
    """The maps, and beside them a line each with what turns it into disparities."""
    depths = {
        (key, name): made for key, item in objects.items() for name, made in item.depths.items()
    }
    images = {f"{key}/{camera}.png": made.png for (key, camera), made in depths.items()}
    write_zip(out / "depths.zip", images, False)
    lines = (
        {"id": key, "camera": camera, **made.sensor}
        for (key, camera), made in sorted(depths.items())
    )
    _write_lines(out / "depths.jsonl", lines)


def _class_names() -> dict[str, list[str]]:
    """By part of the pack."""
    objects = sorted({rule.label for rule in RULES if rule.label})
    return {"objects": objects, "sounds": sound_labels()}


def _record(entry: CatalogueEntry, in_test: bool) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "category": entry.category,
        "tags": list(entry.tags),
        "class": class_of(entry),
        "split": "test" if in_test else "train",
        "creator": entry.creator,
        "licence": entry.licence,
        "source": entry.source,
    }


def _build_pictures(folder: Path, out: Path) -> dict[str, Any]:
    pictures, left_out = list_pictures(folder)
    records = [asdict(picture) for picture in pictures]
    _write_lines(out / "pictures.jsonl", _captioned(records, picture_captions))
    write_zip(
        out / "pictures.zip",
        {
            f"{picture.id}.webp": webp_bytes(load_picture(folder, picture), QUALITY)
            for picture in pictures
        },
        False,
    )
    return {"pictures": len(pictures), "pictures_left_out": dict(Counter(left_out.values()))}


def _captioned(
    records: Iterable[dict[str, Any]], captions: Callable[[dict[str, Any]], list[str]]
) -> list[dict[str, Any]]:
    return [{**record, "captions": captions(record)} for record in records]


def _write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def _print_classes(records: list[dict[str, Any]]) -> None:
    counts = Counter((record["class"], record["split"]) for record in records if record["class"])
    for label in sorted({label for label, _ in counts}):
        print(f"{label:<14} train {counts[label, 'train']:>3}  test {counts[label, 'test']:>2}")

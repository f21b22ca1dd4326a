"""Make the embedded data pack from two public packages, the same bytes every time.

    python -m demo.build_pack                  # fetch the packages (apt-get, npm), write demo/pack
    python -m demo.build_pack --raw DIR        # DIR holds them unpacked: deb/ and package/

Takes about two minutes on two cores, and needs the `demo` extra (`pip install -e .[demo]`).
Objects that cannot be read are listed with the reason in build.json; the rest is still written.
"""

import argparse
import functools
import json
import multiprocessing
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demo.archives import npy_bytes, write_zip
from demo.cameras import CAMERAS
from demo.captions import object_captions, picture_captions
from demo.catalogue import Catalogue, CatalogueEntry, open_catalogues
from demo.classes import RULES, class_of
from demo.licences import licences_page
from demo.meshes import load_model
from demo.pictures import list_pictures, load_picture
from demo.points import sample_points
from demo.render import Scene, webp_bytes
from demo.sources import RawMaterial, fetch, locate
from demo.splits import duplicate_groups, split
from pipeline.errors import UserError, exit_on_user_error

_QUALITY = 55


@dataclass(frozen=True)
class ObjectFiles:
    """What becomes of one catalogue entry; `problem` says why it was rejected."""

    entry: CatalogueEntry
    points: np.ndarray | None = None
    renders: Mapping[str, bytes] | None = None
    counts: tuple[int, int] = (0, 0)
    """Vertices and faces."""
    problem: str = ""


def main() -> None:
    """Command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--raw", type=Path, help="folder of the unpacked packages")
    parser.add_argument("--out", type=Path, default=Path("demo/pack"))
    arguments = parser.parse_args()
    if arguments.raw:
        build(locate(arguments.raw), arguments.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        build(fetch(Path(folder)), arguments.out)


def build(raw: RawMaterial, out: Path) -> None:
    """Write every file of the pack to `out` and print a summary."""
    out.mkdir(parents=True, exist_ok=True)
    summary = _build_objects(raw.furniture, out)
    summary |= _build_pictures(raw.pictures, out)
    (out / "build.json").write_text(json.dumps(summary, indent=1) + "\n")
    for path in sorted(out.iterdir()):
        print(f"{path.stat().st_size:>9} {path}")


def _build_objects(folder: Path, out: Path) -> dict[str, Any]:
    made = _process(folder)
    good = {item.entry.id: item for item in made if not item.problem}
    clouds = {key: item.points for key, item in good.items() if item.points is not None}
    groups = duplicate_groups(clouds, {key: item.counts for key, item in good.items()})
    labels = {key: class_of(item.entry) for key, item in good.items()}
    test = split(labels, groups)
    records = [_record(good[key].entry, key in test) for key in sorted(good)]
    _write_lines(out / "objects.jsonl", _captioned(records, object_captions))
    (out / "LICENCES.md").write_text(licences_page(records))
    classes = sorted({rule.label for rule in RULES if rule.label})
    (out / "classes.json").write_text(json.dumps({"objects": classes}, indent=1) + "\n")
    write_zip(out / "points.zip", {f"{k}.npy": npy_bytes(v) for k, v in clouds.items()}, True)
    write_zip(
        out / "renders.zip",
        {
            f"{key}/{camera}.webp": content
            for key, item in good.items()
            for camera, content in (item.renders or {}).items()
        },
        False,
    )
    _print_classes(records)
    return {
        "objects": len(records),
        "rejected": {item.entry.id: item.problem for item in made if item.problem},
        "variants_kept_together": [group for group in groups if len(group) > 1],
    }


def _process(folder: Path) -> list[ObjectFiles]:
    jobs = [
        (folder, name, index)
        for name, catalogue in open_catalogues(folder).items()
        for index in range(len(catalogue.entries()))
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(mp_context=context) as pool:
        made = list(pool.map(_make, jobs, chunksize=8))
    ids = Counter(item.entry.id for item in made)
    if doubled := [key for key, count in ids.items() if count > 1]:
        raise UserError(f"{folder}: ids must be unique, but these are not: {', '.join(doubled)}")
    return made


@functools.cache
def _catalogues(folder: Path) -> dict[str, tuple[Catalogue, list[CatalogueEntry]]]:
    """Opened once a process: a zip file handle must not be shared between processes."""
    return {
        name: (catalogue, catalogue.entries())
        for name, catalogue in open_catalogues(folder).items()
    }


def _make(job: tuple[Path, str, int]) -> ObjectFiles:
    folder, name, index = job
    catalogue, entries = _catalogues(folder)[name]
    entry = entries[index]
    try:
        model = load_model(catalogue, entry)
        scene = Scene(model)
        renders = {camera.name: webp_bytes(scene.render(camera), _QUALITY) for camera in CAMERAS}
        return ObjectFiles(
            entry, sample_points(model, entry.id), renders, (len(model.vertices), len(model.faces))
        )
    except (ValueError, KeyError, IndexError, OSError) as error:
        return ObjectFiles(entry, problem=f"{type(error).__name__}: {error}")


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
            f"{picture.id}.webp": webp_bytes(load_picture(folder, picture), _QUALITY)
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


if __name__ == "__main__":
    exit_on_user_error(main)

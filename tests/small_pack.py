"""A few real samples of the embedded pack, in its layout."""

import json
import shutil
import zipfile
from pathlib import Path

PACK = Path(__file__).parents[1] / "demo" / "pack"
ARCHIVES = {
    "objects": ("points", "renders", "depths", "clips"),
    "pictures": ("pictures",),
    "sounds": ("sounds",),
}


def small_pack(folder: Path, objects: int = 24, pictures: int = 12, sounds: int = 32) -> None:
    """Labelled objects of two classes, pictures, and sounds."""
    folder.mkdir(parents=True)
    for name in ("classes.json", "depths.jsonl"):
        shutil.copy(PACK / name, folder)
    counts = {"objects": objects, "pictures": pictures, "sounds": sounds}
    for name, archives in ARCHIVES.items():
        lines = [json.loads(line) for line in (PACK / f"{name}.jsonl").read_text().splitlines()]
        lines = [line for line in lines if name != "objects" or line["class"] in ("car", "bed")]
        lines = lines[: counts[name]]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        for archive in archives:
            copy_members(f"{archive}.zip", folder, {line["id"] for line in lines})


def copy_members(archive: str, target: Path, kept: set[str]) -> None:
    with zipfile.ZipFile(PACK / archive) as whole, zipfile.ZipFile(target / archive, "w") as part:
        for member in whole.namelist():
            if member.split("/")[0].split(".")[0] in kept:
                part.writestr(member, whole.read(member))

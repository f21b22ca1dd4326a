"""docs/your_data.md, followed: one's own files and a params.yaml, by `dvc repro` to a score."""

import io
import json
import re
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline.shards import read_index
from tests.made_members import audio_bytes, hum
from tests.test_dag import REPOSITORY, checkout, run

DOCS = REPOSITORY / "docs" / "your_data.md"
PACK = REPOSITORY / "demo" / "pack"
KINDS = ("chair", "table", "lamp", "person", "bed")


def sections() -> dict[str, dict]:
    """Of params.yaml, as the page has them."""
    (block,) = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    return YAML(typ="safe").load(block)


def jpeg(picture: bytes) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").resize((64, 64)).save(file, "jpeg")
    return file.getvalue()


def pictures(count: int) -> list[bytes]:
    with zipfile.ZipFile(PACK / "pictures.zip") as file:
        return [jpeg(file.read(name)) for name in file.namelist()[:count]]


def make_birds(raw: Path) -> None:
    """40 renders of each of 5 kinds of things."""
    things = map(json.loads, (PACK / "objects.jsonl").read_text().splitlines())
    with zipfile.ZipFile(PACK / "renders.zip") as file:
        views = {kind: [] for kind in KINDS}
        for thing in things:
            if thing["class"] in KINDS:
                places = (f"{thing['id']}/{side}.webp" for side in ("front", "back", "left"))
                views[thing["class"]] += places
        for kind, names in views.items():
            (raw / kind).mkdir(parents=True)
            for number, name in enumerate(names[:40]):
                (raw / kind / f"{number}.jpg").write_bytes(jpeg(file.read(name)))


def make_calls(raw: Path) -> None:
    raw.mkdir()
    lines = [f"{n}.wav,call {n},{KINDS[n % 5]}" for n in range(40)]
    (raw / "calls.csv").write_text("\n".join(["file,heard,species", *lines]))
    for number in range(40):
        (raw / f"{number}.wav").write_bytes(audio_bytes(hum(0.2, seed=number)))


def make_web(raw: Path) -> None:
    raw.mkdir()
    for shard in range(2):
        with tarfile.open(raw / f"{shard:05}.tar", "w") as tar:
            for number, picture in enumerate(pictures(8)):
                for ending, data in (("jpg", picture), ("txt", b"a picture of something")):
                    entry = tarfile.TarInfo(f"{shard:05}{number:04}.{ending}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))


def make_pets(raw: Path) -> None:
    raw.mkdir()
    held = [{"bytes": data, "path": f"{n}.jpg"} for n, data in enumerate(pictures(24))]
    table = pa.table({"image": held, "label": ["cat", "dog"] * 12})
    with pa.ipc.new_stream(str(raw / "data-00000-of-00001.arrow"), table.schema) as out:
        out.write_table(table)


def write_params(file: Path) -> None:
    """params.yaml with the page's sections in place of its own, and less to do."""
    params = YAML(typ="safe").load(REPOSITORY / "params.yaml")
    told = sections()
    params |= {name: told[name] for name in ("sources", "extract", "benchmarks")}
    params["student"] |= told["student"]
    params["train"] |= {**told["train"], "epochs": 1, "loader_workers": 0}
    params["views"]["count"] = 1
    YAML(typ="safe", pure=True).dump(params, file)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A checkout with four folders of one's own, run as far as its scores, and what it said."""
    root = checkout(tmp_path_factory.mktemp("own"), "demo/nano")
    for name, make in zip(
        sections()["sources"], (make_birds, make_calls, make_web, make_pets), strict=True
    ):
        make(root / name)
    write_params(root / "params.yaml")
    return root, run(root, "python", "-m", "tests.forked_stages", "repro", "zeroshot")


def test_from_ones_own_files_to_a_score(said: tuple[Path, str]) -> None:
    root, output = said
    held_out = {
        name: [read_index(root / "shards" / name / split).samples for split in ("train", "test")]
        for name in ("birds", "calls")
    }
    assert (sum(held_out["birds"]), sum(held_out["calls"])) == (200, 40)
    assert 5 <= held_out["birds"][1] <= 40
    assert "train.warmup_steps is 50, the whole training has 2 steps" in output
    assert "of it from web, which has 16 samples" in output
    scores = json.loads((root / "runs/demo/zeroshot/metrics.json").read_text())
    for name, (_, test) in held_out.items():
        assert (scores[name]["samples"], scores[name]["chance"]) == (test, 0.2)


def test_changed_templates_of_ones_own_are_seen_by_dvc(said: tuple[Path, str]) -> None:
    root, _ = said
    assert run(root, "dvc", "status", "zeroshot") == "Data and pipelines are up to date.\n"
    file = root / sections()["sources"]["birds"]["prompts"]
    file.write_text("a drawing of a {}.\n")
    stale = re.findall(r"^(\S+):$", run(root, "dvc", "status"), re.MULTILINE)
    assert {"extract@clip-birds", "train", "zeroshot"} <= set(stale)
    assert not any(stage.startswith("prepare") for stage in stale)

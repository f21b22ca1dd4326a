"""docs/your_data.md, followed: one's own files and a params.yaml, every command to a score."""

import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from ruamel.yaml import YAML

import stage1_extract.__main__ as stage1
import stage2_train.__main__ as stage2
from eval import zeroshot
from pipeline import prepare
from pipeline.shards import read_index
from tests.made_members import audio_bytes, hum
from tests.tiny_world import make_clip, tiny_params

DOCS = Path(__file__).parents[1] / "docs" / "your_data.md"
BIRDS = ("barn_owl", "gull", "heron", "kite", "wren")
PICTURES = ("birds", "web", "pets")


def sources() -> dict[str, dict]:
    """What the page's blocks say, all of them."""
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    return {k: v for block in blocks for k, v in YAML(typ="safe").load(block).items()}


def jpeg(colour: int, number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (24, 20), (colour * 50, number, 255 - colour * 50)).save(file, "jpeg")
    return file.getvalue()


def make_birds(raw: Path) -> None:
    for colour, name in enumerate(BIRDS):
        (raw / name).mkdir(parents=True)
        for number in range(40):
            (raw / name / f"{number}.jpg").write_bytes(jpeg(colour, number))


def make_calls(raw: Path) -> None:
    raw.mkdir()
    lines = [f"{n}.wav,call {n},{BIRDS[n % 5]}" for n in range(40)]
    (raw / "calls.csv").write_text("\n".join(["file,heard,species", *lines]))
    for number in range(40):
        (raw / f"{number}.wav").write_bytes(audio_bytes(hum(0.2, seed=number)))


def make_web(raw: Path) -> None:
    raw.mkdir()
    for shard in range(2):
        with tarfile.open(raw / f"{shard:05}.tar", "w") as tar:
            for number in range(8):
                for ending, data in (("jpg", jpeg(shard, number)), ("txt", b"a bird at the sea")):
                    entry = tarfile.TarInfo(f"{shard:05}{number:04}.{ending}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))


def make_pets(raw: Path) -> None:
    raw.mkdir()
    pictures = [{"bytes": jpeg(n % 2, n), "path": f"{n}.jpg"} for n in range(24)]
    table = pa.table({"image": pictures, "label": ["cat", "dog"] * 12})
    with pa.ipc.new_stream(str(raw / "data-00000-of-00001.arrow"), table.schema) as out:
        out.write_table(table)


def write_params(root: Path) -> None:
    params = tiny_params(
        root, sources=sources(), shards="shards", cache="cache",
        views={"count": 1, "image_size": 32, "audio_seconds": 0.5},
        extract={f"clip-{name}": {"teacher": "clip", "source": name} for name in PICTURES},
        student={
            "modalities": ["image", "audio"], "arch": f"local-dir:{root / 'clip'}",
            "weights": None, "audio": {"seconds": 0.5},
        },
        train={
            "out": "runs", "teachers": [f"clip-{name}" for name in PICTURES],
            "sources": dict.fromkeys(sources(), 1), "epochs": 1, "batch_size": 80,
            "warmup_steps": 50, "loader_workers": 0,
        },
        benchmarks={"birds": {"source": "birds", "teacher": "clip"}},
    )  # fmt: skip
    given = msgspec.to_builtins(params)
    given["sources"] = sources()
    with (root / "params.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(given, file)


def test_from_ones_own_files_to_a_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(main: Callable[[], None], *arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["command", *arguments])
        main()
        return capsys.readouterr().err

    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "clip")
    for name, make in zip(sources(), (make_birds, make_calls, make_web, make_pets), strict=True):
        make(tmp_path / name)
    write_params(tmp_path)
    for name in sources():
        command(prepare.main, "--source", name)
    splits = [read_index(Path("shards", "birds", split)).samples for split in ("train", "test")]
    assert sum(splits) == 200
    assert np.isclose(splits[1] / 200, 0.1, atol=0.07)
    command(stage1.main, "--teacher", "clip")
    said = command(stage2.main)
    assert "train.warmup_steps is 50, the whole training has 3 steps" in said
    assert "20 of it from web, which has 16 samples" in said
    command(zeroshot.main, "--ckpt", "runs/student")
    scores = json.loads(Path("runs/zeroshot/metrics.json").read_text())["birds"]
    assert (scores["samples"], scores["chance"]) == (splits[1], 0.2)

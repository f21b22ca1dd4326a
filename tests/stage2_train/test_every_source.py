"""Video, depth and audio sources all the way: tars, CLIP's stores, streams, one training."""

import json
from pathlib import Path

import pytest
import torch

from pipeline.config import Params
from pipeline.samples import decode_member
from pipeline.shards import FORMAT, ShardIndex, write_index, write_shard
from pipeline.views import ViewMaker, chain_for
from stage2_train.stream.join import Draw, SourceStream
from stage2_train.stream.order import Cursor
from stage2_train.student import Student
from stage2_train.student.inputs import student_input
from stage2_train.training.trainer import STUDENT, Trainer
from tests.conftest import extract
from tests.made_members import SENSOR, every_member
from tests.tiny_world import CLASSES, make_clip, tiny_params

SOURCES = {"pictures": "image", "clips": "video", "rooms": "depth", "sounds": "audio"}
SAMPLES = 4


def params_of(root: Path) -> Params:
    clip = f"local-dir:{root / 'clip'}"
    return tiny_params(
        root,
        sources={
            name: {"modality": modality, "converter": "made", "raw": "", "samples_per_shard": 4}
            for name, modality in SOURCES.items()
        },
        views={"count": 1, "image_size": 32, "video_frames": 4, "audio_seconds": 0.5},
        teachers={"clip": {"arch": clip}},
        extract={f"clip-{name}": {"teacher": "clip", "source": name} for name in SOURCES},
        student={
            "modalities": list(SOURCES.values()), "arch": clip, "weights": None,
            "video": {"frames": 4}, "audio": {"seconds": 0.5},
        },
        train={
            "out": str(root / "runs"), "teachers": [f"clip-{name}" for name in SOURCES],
            "sources": dict.fromkeys(SOURCES, 1), "epochs": 2, "batch_size": 8, "warmup_steps": 2,
        },
        benchmarks={},
    )  # fmt: skip


def write_source(folder: Path, name: str, modality: str) -> None:
    folder.mkdir(parents=True)
    members, samples = every_member(), []
    for number in range(SAMPLES):
        meta = json.dumps({"labels": [number % 2], "depth": SENSOR}).encode()
        samples.append((f"{name}-{number}", {**members, "meta.json": meta}))
    shard = write_shard(folder / "000000.tar", samples)
    index = ShardIndex(
        format=FORMAT, dataset=name, split="train", modality=modality, classes=list(CLASSES),
        captions=[], licence="none", recipe={}, samples_per_shard=SAMPLES, shards=[shard],
    )  # fmt: skip
    write_index(folder, index)


@pytest.fixture(scope="module")
def every_source(tmp_path_factory: pytest.TempPathFactory) -> Params:
    """Four sources with CLIP's features of each: its image, its clip, its paired images."""
    root = tmp_path_factory.mktemp("every_source")
    make_clip(root / "clip")
    params = params_of(root)
    for name, modality in SOURCES.items():
        write_source(root / "shards" / name / "train", name, modality)
        extract(params, f"clip-{name}")
    return params


@pytest.fixture(scope="module")
def logged(every_source: Params) -> set[str]:
    """Names of what a finished training on all four sources logged in its last step."""
    assert Trainer(every_source).run()
    log = Path(every_source.train.out, "log.jsonl").read_text().splitlines()
    return set(json.loads(log[-1]))


def test_every_source_trains_with_its_bindings(every_source: Params, logged: set[str]) -> None:
    for name in SOURCES:
        assert {f"text_binding/{name}", f"balance/{name}"} <= logged
        assert (f"image_binding/{name}" in logged) == (name != "pictures")
    student = Student.load(Path(every_source.train.out, STUDENT))
    assert student.encode("audio", torch.zeros(2, 8000)).isfinite().all()


def test_images_and_videos_alone_follow_clips_features_of_their_own_views(logged: set[str]) -> None:
    anchors = {name for name in logged if name.startswith("anchor/")}
    assert anchors == {"anchor/clip-pictures", "anchor/clip-clips"}


def test_a_stream_of_sounds_gives_the_spectrograms_of_its_views(every_source: Params) -> None:
    trainer = Trainer(every_source)
    stream = SourceStream(every_source, "sounds", [], trainer.assembly.texts)
    batch = stream(Draw("sounds", Cursor(), range(SAMPLES)))
    maker = ViewMaker(chain_for("audio", "audio"), every_source.seed, every_source.views)
    sound = decode_member(every_member(), "audio")
    views = [maker(sound, f"sounds-{number}", 0).array for number in range(SAMPLES)]
    inputs = [student_input("audio", view, every_source.student)[0] for view in views]
    expected = [part.numpy().tobytes() for part in inputs]
    assert sorted(part.numpy().tobytes() for part in batch.inputs[0]) == sorted(expected)
    assert len(set(expected)) == SAMPLES

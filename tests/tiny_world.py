"""A world small enough for tests: made clouds and pictures, a tiny CLIP, a fake points teacher."""

import io
import json
import zipfile
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
import torch
from open_clip.model import CLIP
from PIL import Image
from safetensors.torch import save_file

from pipeline.config import Params

CLASSES = ("ball", "stick")
CLIP_CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 32, "layers": 2, "head_width": 16},
    "text_cfg": {
        "context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1,
    },
}  # fmt: skip
PREPROCESS = {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bicubic", "size": 32}


def make_pack(folder: Path, objects: int = 24) -> Path:
    """The embedded pack's layout: half balls, half sticks; every third object is held out."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(7)
    records = []
    with (
        zipfile.ZipFile(folder / "points.zip", "w") as points,
        zipfile.ZipFile(folder / "renders.zip", "w") as renders,
    ):
        for number in range(objects):
            name = f"thing-{number:02d}"
            stretch = (1, 1, 1) if number % 2 == 0 else (0.05, 1, 0.05)
            cloud = rng.normal(size=(96, 3)) * stretch
            points.writestr(f"{name}.npy", npy_bytes(cloud.astype(np.float16)))
            for camera in ("front", "right", "back", "left"):
                colour = (200, 40, 40) if number % 2 == 0 else (40, 40, 200)
                renders.writestr(f"{name}/{camera}.webp", webp_bytes(colour, rng))
            label = CLASSES[number % 2] if number % 4 else None
            records.append(
                {
                    "id": name, "class": label, "captions": [f"a {CLASSES[number % 2]} {number}"],
                    "split": "test" if number % 3 == 2 else "train",
                }
            )  # fmt: skip
    (folder / "objects.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    (folder / "classes.json").write_text(json.dumps({"objects": CLASSES}))
    return folder


def npy_bytes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def webp_bytes(colour: tuple[int, int, int], rng: np.random.Generator) -> bytes:
    noise = rng.integers(-30, 30, (40, 48, 3))
    file = io.BytesIO()
    Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(file, "webp")
    return file.getvalue()


def make_clip(folder: Path) -> Path:
    """A CLIP in open_clip's local-dir layout with made weights: a test's trunk, not a teacher."""
    folder.mkdir(parents=True)
    config = {"model_cfg": CLIP_CONFIG, "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = CLIP(**CLIP_CONFIG)
    save_file(
        {name: tensor.contiguous() for name, tensor in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    return folder


def tiny_params(root: Path, **changes: object) -> Params:
    """Params of a run over the tiny world in `root`; `changes` replace top-level sections."""
    data = {"modality": "points", "converter": "pack_objects", "raw": str(root / "pack")}
    sections: dict[str, object] = {
        "seed": 5,
        "shards": str(root / "shards"),
        "cache": str(root / "cache"),
        "sources": {
            "objects": {**data, "splits": ["train", "test"], "samples_per_shard": 6},
            "renders": {
                **data, "converter": "pack_renders", "modality": "image",
                "splits": ["train", "test"], "samples_per_shard": 25,
            },
        },
        "views": {"count": 2, "image_size": 32, "points": 64},
        "teacher_files": str(root),
        "teachers": {
            "clip": {"arch": f"local-dir:{root / 'clip'}", "batch_size": 16},
            "fake": {"arch": "fake", "batch_size": 8},
        },
        "extract": {
            "clip-objects": {"teacher": "clip", "source": "objects"},
            "clip-renders": {"teacher": "clip", "source": "renders"},
            "fake-objects": {"teacher": "fake", "source": "objects"},
        },
        "student": {
            "modalities": ["image", "points"], "arch": f"local-dir:{root / 'clip'}",
            "weights": None, "points": {"groups": 8, "group_size": 4, "widths": [8, 16, 16]},
        },
        "train": {
            "out": str(root / "runs"), "teachers": ["clip-objects", "clip-renders", "fake-objects"],
            "sources": {"objects": 1, "renders": 1}, "epochs": 2, "batch_size": 12,
            "warmup_steps": 2, "checkpoint_every": 3,
        },
        "benchmarks": {"points": {"source": "objects", "teacher": "fake"}},
    }  # fmt: skip
    return msgspec.convert({**sections, **changes}, Params)


class FakeTeacher:
    """A points teacher whose feature is a fixed function of the cloud's spread; no weights."""

    name, arch, modality, dim = "fake", "fake", "points", 6
    text_space, licence, source = "hashes", "none", "tests"

    def __init__(self, weights_sha256: str = "0" * 64) -> None:
        self.provenance = {"weights_sha256": weights_sha256, "preprocessing": "none"}
        self.batches, self.files = 0, []

    def preprocess(self, view: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(view[:, :3])

    def encode(self, batch: torch.Tensor) -> torch.Tensor:
        self.batches += 1
        return torch.cat([batch.std(dim=1), batch.abs().amax(dim=1)], dim=-1)

    def encode_text(self, prompts: list[str]) -> torch.Tensor:
        words = [blake2b(p.encode(), digest_size=self.dim).digest() for p in prompts]
        return torch.tensor([list(word) for word in words], dtype=torch.float32)

"""The nano ULIP and its training."""

import json
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Generator, Tensor

from demo.contrastive import positives, symmetric_loss
from demo.epochs import Schedule, train_epochs
from demo.frozen_clip import halved, image_features, load_clip, text_arch, text_tensors
from demo.held_out import scores
from demo.nano_clip import CONFIG
from demo.training_data import (
    Subject,
    load_classes,
    load_clouds,
    load_renders,
    load_subjects,
)
from pipeline.openclip import OpenClip
from pipeline.prompts import MODELNET40_64
from pipeline.views import ViewRng
from pipeline.views.points import WholeParams, apply_points, sample_points
from stage1_extract.teachers import Teacher, load_teacher
from stage1_extract.teachers.point_bert import PointBertArch, UlipPointEncoder, build_point_bert

OUT = Path("demo/nano/ulip")
POINTS = 1024
ENCODER = {
    "width": 128, "depth": 4, "heads": 4, "groups": 32, "group_size": 16, "group_dim": 128,
    "dim": CONFIG["embed_dim"], "drop_path": 0.1,
}  # fmt: skip
BATCH, PEAK_LR, SEED, CAPTIONS = 64, 1e-3, 0, 16
"""CAPTIONS: captions drawn beforehand for each object, from which an epoch takes one."""


def make(pack: Path, clip_folder: Path, out: Path, epochs: int) -> dict[str, float | int]:
    """Train on a pack's train split against a nano CLIP, write everything to `out`; the held-out
    scores."""
    out.mkdir(parents=True, exist_ok=True)
    clip = load_clip(clip_folder)
    encoder, log_scale = train(pack, clip, epochs, out / "train.log")
    arch = {**ENCODER, "text": text_arch(clip_folder, out)}
    (out / "arch.json").write_text(json.dumps(arch, indent=1) + "\n")
    write(out / "checkpoint.pt", clip, encoder, log_scale)
    files = {"weights": str(out / "checkpoint.pt"), "arch": str(out / "arch.json")}
    reached = held_out_scores(pack, load_teacher("ulip", **files))  # the loader that users have
    (out / "scores.json").write_text(json.dumps(reached, indent=1) + "\n")
    return reached


def train(pack: Path, clip: OpenClip, epochs: int, log: Path) -> tuple[UlipPointEncoder, Tensor]:
    """Train for `epochs` passes over the train objects; the loss goes to `log`."""
    subjects = load_subjects(pack, "objects", "train")
    clouds = load_clouds(pack, subjects)
    generator = Generator().manual_seed(SEED)
    images, texts = anchors(pack, clip, subjects, generator)
    encoder = build_point_bert(msgspec.convert(ENCODER, PointBertArch), seed=SEED).train()
    log_scale = clip.model.state_dict()["logit_scale"].clone()  # frozen, as ULIP-1's is
    schedule = Schedule(epochs, BATCH, PEAK_LR, most_norm=1.0)

    def loss_of(rows: Tensor, epoch: int) -> Tensor:
        views = [augmented(clouds[row], subjects[row].id, epoch) for row in rows]
        points = encoder(torch.stack(views))
        camera = torch.randint(images.shape[1], (len(rows),), generator=generator)
        caption = torch.randint(CAPTIONS, (len(rows),), generator=generator)
        targets = positives([subjects[row].concept for row in rows])
        return (
            symmetric_loss(points, texts[rows, caption], log_scale, targets)
            + symmetric_loss(points, images[rows, camera], log_scale, targets)
        ) / 2

    log.write_text("")
    train_epochs(encoder.parameters(), len(subjects), schedule, generator, loss_of, log)
    return encoder.eval(), log_scale


def augmented(cloud: np.ndarray, key: str, epoch: int) -> Tensor:
    """A seeded view of a cloud, float32 [POINTS, 3]."""
    params = sample_points(ViewRng(SEED, key, epoch, "nano-ulip"), POINTS)
    return torch.from_numpy(apply_points(cloud.astype(np.float32), params, POINTS))


@torch.no_grad()
def anchors(
    pack: Path, clip: OpenClip, subjects: list[Subject], generator: Generator
) -> tuple[Tensor, Tensor]:
    """Frozen features: renders [objects, cameras, dim], captions [objects, CAPTIONS, dim]."""
    renders = load_renders(pack, subjects, clip.image_size)
    images = image_features(clip, renders.flatten(0, 1))
    captions = [s.draw_caption(generator) for s in subjects for _ in range(CAPTIONS)]
    texts = clip.encode_text(captions)
    return images.view(len(subjects), -1, clip.embed_dim), texts.view(len(subjects), CAPTIONS, -1)


def write(path: Path, clip: OpenClip, encoder: UlipPointEncoder, log_scale: Tensor) -> None:
    """Write the float16 checkpoint, with CLIP's text tower at the root."""
    tensors = {**encoder.state_dict(), **text_tensors(clip), "logit_scale": log_scale}
    named = {f"module.{name}": tensor for name, tensor in halved(tensors).items()}
    torch.save({"state_dict": named}, path)


def held_out_scores(pack: Path, teacher: Teacher) -> dict[str, float | int]:
    """Zero-shot top-1 of a teacher of points on held-out objects' clouds."""
    subjects = [s for s in load_subjects(pack, "objects", "test") if s.label]
    views = [
        teacher.preprocess(apply_points(cloud.astype(np.float32), WholeParams(), POINTS))
        for cloud in load_clouds(pack, subjects)
    ]
    labels = [str(subject.label) for subject in subjects]
    return scores(teacher, torch.stack(views), labels, load_classes(pack), MODELNET40_64)

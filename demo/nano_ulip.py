"""The nano ULIP and its training."""

import json
import time
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Generator, Tensor, nn

from demo.contrastive import build_optimiser, positives, symmetric_loss, warmup_cosine
from demo.frozen_clip import halved, image_features, load_clip, text_arch, text_tensors
from demo.held_out import scores
from demo.nano_clip import CONFIG, PACK
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
from stage1_extract.teachers import load_teacher
from stage1_extract.teachers.point_bert import PointBertArch, UlipPointEncoder, build_point_bert

OUT = Path("demo/nano/ulip")
POINTS = 1024
ENCODER = {
    "width": 128, "depth": 4, "heads": 4, "groups": 32, "group_size": 16, "group_dim": 128,
    "dim": CONFIG["embed_dim"], "drop_path": 0.1,
}  # fmt: skip
BATCH, PEAK_LR, SEED, CAPTIONS = 64, 1e-3, 0, 16
"""CAPTIONS: captions drawn beforehand for each object, from which an epoch takes one."""


def make(epochs: int) -> None:
    """Train it, and write it with its log and its scores."""
    OUT.mkdir(parents=True, exist_ok=True)
    clip = load_clip()
    encoder, log_scale = train(clip, epochs, OUT / "train.log")
    write(clip, encoder, log_scale)
    reached = held_out_scores()
    (OUT / "scores.json").write_text(json.dumps(reached, indent=1) + "\n")
    print(reached)


def train(clip: OpenClip, epochs: int, log: Path) -> tuple[UlipPointEncoder, Tensor]:
    """Train for `epochs` passes over the train objects; the loss goes to `log`."""
    subjects = load_subjects(PACK, "objects", "train")
    clouds = load_clouds(PACK, subjects)
    generator = Generator().manual_seed(SEED)
    images, texts = anchors(clip, subjects, generator)
    encoder = build_point_bert(msgspec.convert(ENCODER, PointBertArch), seed=SEED).train()
    log_scale = clip.model.state_dict()["logit_scale"].clone()  # frozen, as ULIP-1's is
    optimiser = build_optimiser(encoder.parameters(), PEAK_LR)
    schedule = warmup_cosine(optimiser, epochs * (len(subjects) // BATCH))
    started, lines = time.monotonic(), []
    for epoch in range(epochs):
        losses = []
        for rows in torch.randperm(len(subjects), generator=generator).split(BATCH)[:-1]:
            views = [augmented(clouds[row], subjects[row].id, epoch) for row in rows]
            points = encoder(torch.stack(views))
            camera = torch.randint(images.shape[1], (len(rows),), generator=generator)
            caption = torch.randint(CAPTIONS, (len(rows),), generator=generator)
            targets = positives([subjects[row].concept for row in rows])
            loss = (
                symmetric_loss(points, texts[rows, caption], log_scale, targets)
                + symmetric_loss(points, images[rows, camera], log_scale, targets)
            ) / 2
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        seconds = time.monotonic() - started
        lines.append(f"epoch {epoch + 1} loss {np.mean(losses):.4f} seconds {seconds:.0f}\n")
        log.write_text("".join(lines))
        print(lines[-1], end="", flush=True)
    return encoder.eval(), log_scale


def augmented(cloud: np.ndarray, key: str, epoch: int) -> Tensor:
    """A seeded view of a cloud, float32 [POINTS, 3]."""
    params = sample_points(ViewRng(SEED, key, epoch, "nano-ulip"), POINTS)
    return torch.from_numpy(apply_points(cloud.astype(np.float32), params, POINTS))


@torch.no_grad()
def anchors(clip: OpenClip, subjects: list[Subject], generator: Generator) -> tuple[Tensor, Tensor]:
    """Frozen features: renders [objects, cameras, dim], captions [objects, CAPTIONS, dim]."""
    renders = load_renders(PACK, subjects, clip.image_size)
    images = image_features(clip, renders.flatten(0, 1))
    captions = [s.draw_caption(generator) for s in subjects for _ in range(CAPTIONS)]
    texts = clip.encode_text(captions)
    return images.view(len(subjects), -1, clip.embed_dim), texts.view(len(subjects), CAPTIONS, -1)


def write(clip: OpenClip, encoder: UlipPointEncoder, log_scale: Tensor) -> None:
    """Write the arch file and the float16 checkpoint, with CLIP's text tower at the root."""
    arch = {**ENCODER, "text": text_arch(OUT)}
    (OUT / "arch.json").write_text(json.dumps(arch, indent=1) + "\n")
    tensors = {**encoder.state_dict(), **text_tensors(clip), "logit_scale": log_scale}
    named = {f"module.{name}": tensor for name, tensor in halved(tensors).items()}
    torch.save({"state_dict": named}, OUT / "checkpoint.pt")


def held_out_scores() -> dict[str, float | int]:
    """Zero-shot top-1 on held-out objects' clouds, through the loader that users have."""
    teacher = load_teacher("ulip", weights=str(OUT / "checkpoint.pt"), arch=str(OUT / "arch.json"))
    subjects = [s for s in load_subjects(PACK, "objects", "test") if s.label]
    views = [
        teacher.preprocess(apply_points(cloud.astype(np.float32), WholeParams(), POINTS))
        for cloud in load_clouds(PACK, subjects)
    ]
    labels = [str(subject.label) for subject in subjects]
    return scores(teacher, torch.stack(views), labels, load_classes(PACK), MODELNET40_64)

"""Train the nano ULIP against the frozen nano CLIP, by ULIP's recipe, on the pack's train split.

    python -m demo.train_nano_ulip [--epochs 24]

Writes demo/nano/ulip/: arch.json, checkpoint.pt in the official layout (`state_dict`, `module.`
prefix, the frozen text tower beside the point encoder), train.log and scores.json. The loss is
ULIP's: cross-entropy cloud-text and cloud-image, both ways, each halved; the augmentation is the
points chain of pipeline/views. The scores are zero-shot on held-out objects, computed once.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Generator, Tensor, nn

from demo.contrastive import build_optimiser, positives, symmetric_loss, warmup_cosine
from demo.train_nano_clip import CONFIG, PACK
from demo.train_nano_clip import OUT as CLIP
from demo.training_data import (
    Subject,
    load_classes,
    load_clouds,
    load_renders,
    load_subjects,
)
from pipeline.openclip import OpenClip, load_openclip
from pipeline.prompts import MODELNET40_64, class_embeddings
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


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.train_nano_ulip",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--epochs", type=int, default=24, help="default: %(default)s")
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    clip = load_openclip(f"local-dir:{CLIP}")
    encoder, log_scale = train(clip, arguments.epochs, OUT / "train.log")
    write(clip, encoder, log_scale)
    scores = held_out_scores()
    (OUT / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    print(scores)


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
    inputs = [clip.preprocess(image.numpy()) for image in renders.flatten(0, 1)]
    images = torch.cat([clip.encode_image(part) for part in torch.stack(inputs).split(256)])
    captions = [s.draw_caption(generator) for s in subjects for _ in range(CAPTIONS)]
    texts = clip.encode_text(captions)
    return images.view(len(subjects), -1, clip.embed_dim), texts.view(len(subjects), CAPTIONS, -1)


def write(clip: OpenClip, encoder: UlipPointEncoder, log_scale: Tensor) -> None:
    """Write the arch file and the float16 checkpoint, with CLIP's text tower at the root."""
    sizes = {
        name: CONFIG["text_cfg"][name]
        for name in ("width", "layers", "heads", "context_length", "vocab_size")
    }
    text = {**sizes, "quick_gelu": CONFIG["quick_gelu"], "bpe_path": "../clip/bpe.txt.gz"}
    (OUT / "arch.json").write_text(json.dumps({**ENCODER, "text": text}, indent=1) + "\n")
    tower = {
        name: tensor
        for name, tensor in clip.model.state_dict().items()
        if not name.startswith(("visual.", "logit_scale"))
    }
    tensors = {**encoder.state_dict(), **tower, "logit_scale": log_scale}
    halved = {f"module.{name}": _half(tensor) for name, tensor in tensors.items()}
    torch.save({"state_dict": halved}, OUT / "checkpoint.pt")


def _half(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


@torch.no_grad()
def held_out_scores() -> dict[str, float | int]:
    """Zero-shot top-1 on held-out objects' clouds, through the loader that users have."""
    teacher = load_teacher("ulip", weights=str(OUT / "checkpoint.pt"), arch=str(OUT / "arch.json"))
    classes = load_classes(PACK)
    subjects = [s for s in load_subjects(PACK, "objects", "test") if s.label]
    labels = torch.tensor([classes.index(str(subject.label)) for subject in subjects])
    views = [
        teacher.preprocess(apply_points(cloud.astype(np.float32), WholeParams(), POINTS))
        for cloud in load_clouds(PACK, subjects)
    ]
    features = nn.functional.normalize(teacher.encode(torch.stack(views)), dim=-1)
    guesses = (features @ class_embeddings(_text(teacher), classes, MODELNET40_64).T).argmax(dim=1)
    return {
        "samples": len(labels),
        "majority": round(float(labels.bincount().max() / len(labels)), 4),
        "top1": round(float((guesses == labels).float().mean()), 4),
    }


def _text(teacher: Teacher) -> Callable[[Sequence[str]], Tensor]:
    def encode(prompts: Sequence[str]) -> Tensor:
        features = teacher.encode_text(prompts)
        assert features is not None, "the nano ULIP carries its text tower"
        return features

    return encode


if __name__ == "__main__":
    main()

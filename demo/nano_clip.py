"""The nano CLIP and its training."""

import gzip
import json
import time
from pathlib import Path
from typing import Any

import torch
from open_clip.model import CLIP
from open_clip.tokenizer import SimpleTokenizer, default_bpe
from safetensors.torch import save_file
from torch import Generator, Tensor, nn

from demo.contrastive import (
    LOG_SCALE_MOST,
    build_optimiser,
    positives,
    symmetric_loss,
    warmup_cosine,
)
from demo.image_augmentation import augment
from demo.mimetic import mimetic_init
from demo.training_data import (
    Subject,
    load_classes,
    load_pictures,
    load_renders,
    load_subjects,
)
from pipeline.openclip import load_openclip
from pipeline.prompts import PHOTO, class_embeddings

PACK, OUT = Path("demo/pack"), Path("demo/nano/clip")
MERGES, MERGES_FILE = 1024, "bpe.txt.gz"
CONTEXT = 32
CONFIG: dict[str, Any] = {
    "embed_dim": 128,
    "quick_gelu": True,
    "vision_cfg": {
        "image_size": 64, "patch_size": 16, "width": 128, "layers": 4, "head_width": 32,
    },
    "text_cfg": {
        "context_length": CONTEXT, "vocab_size": 512 + MERGES + 2, "width": 96, "heads": 3,
        "layers": 2, "tokenizer_kwargs": {"bpe_path": MERGES_FILE},
    },
}  # fmt: skip
PREPROCESS: dict[str, Any] = {
    "size": 64, "mode": "RGB", "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711], "interpolation": "bicubic",
    "resize_mode": "shortest",
}  # fmt: skip
STEPS, BATCH, PEAK_LR, SEED = 2500, 128, 1e-3, 0
LABELLED = 3.0
"""How much more often than the others a subject with a class is drawn."""
STORED_SIDE = 96
"""Images are kept at this size in memory and cropped to the model's."""


def make(pack: Path, out: Path, steps: int) -> dict[str, float | int]:
    """Train on a pack's train split, write everything to `out`; the held-out scores."""
    out.mkdir(parents=True, exist_ok=True)
    write_vocabulary(out / MERGES_FILE)
    model = train(pack, out, steps)
    card = {"model_cfg": CONFIG, "preprocess_cfg": PREPROCESS}
    (out / "open_clip_config.json").write_text(json.dumps(card, indent=1) + "\n")
    tensors = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, out / "open_clip_model.safetensors")
    scores = held_out_scores(pack, out)
    (out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    return scores


def write_vocabulary(path: Path) -> None:
    """The first merges of CLIP's own byte-pair encoding, as open_clip ships it (MIT)."""
    lines = gzip.decompress(Path(default_bpe()).read_bytes()).decode().split("\n")[: 1 + MERGES]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def train(pack: Path, out: Path, steps: int) -> CLIP:
    """Train for `steps` with the vocabulary in `out`, where the loss goes to train.log."""
    subjects, images = training_images(pack)
    weights = torch.tensor([LABELLED if subject.label else 1.0 for subject in subjects])
    tokenizer = SimpleTokenizer(bpe_path=str(out / MERGES_FILE), context_length=CONTEXT)
    generator = Generator().manual_seed(SEED)
    model = initial_model()
    optimiser = build_optimiser(model.parameters(), PEAK_LR)
    schedule = warmup_cosine(optimiser, steps)
    started, lines, batch = time.monotonic(), [], min(BATCH, len(subjects))
    for step in range(1, steps + 1):
        rows = torch.multinomial(weights, batch, generator=generator)
        drawn = [subjects[row] for row in rows]
        pixels = normalised(augment(images[rows], PREPROCESS["size"], generator))
        ids = tokenizer([subject.draw_caption(generator) for subject in drawn])
        loss = update(model, optimiser, pixels, ids, drawn)
        schedule.step()
        if step % 200 == 0:
            seconds = time.monotonic() - started
            lines.append(f"step {step} loss {loss:.4f} seconds {seconds:.0f}\n")
            (out / "train.log").write_text("".join(lines))
            print(lines[-1], end="", flush=True)
    return model.eval()


def update(
    model: CLIP, optimiser: torch.optim.Optimizer, pixels: Tensor, ids: Tensor, drawn: list[Subject]
) -> float:
    """One step on a batch; the loss."""
    targets = positives([subject.concept for subject in drawn])
    loss = symmetric_loss(
        model.encode_image(pixels), model.encode_text(ids), model.logit_scale, targets
    )
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    with torch.no_grad():
        model.logit_scale.clamp_(0, LOG_SCALE_MOST)
    return loss.item()


def normalised(pixels: Tensor) -> Tensor:
    """Pixels 0..1 as the model takes them."""
    mean, std = (torch.tensor(PREPROCESS[name]).view(3, 1, 1) for name in ("mean", "std"))
    return (pixels - mean) / std


def training_images(pack: Path) -> tuple[list[Subject], Tensor]:
    """Subjects and their images uint8 [images, 3, side, side]; an object once per camera."""
    objects = load_subjects(pack, "objects", "train")
    pictures = load_subjects(pack, "pictures", "train")
    renders = load_renders(pack, objects, STORED_SIDE)
    subjects = [subject for subject in objects for _ in range(renders.shape[1])] + pictures
    images = torch.cat([renders.flatten(0, 1), load_pictures(pack, pictures, STORED_SIDE)])
    return subjects, images


def initial_model() -> CLIP:
    """An untrained nano CLIP, the same at every call."""
    text = {name: value for name, value in CONFIG["text_cfg"].items() if "tokenizer" not in name}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = CLIP(**{**CONFIG, "text_cfg": text})
    mimetic_init(model.visual, Generator().manual_seed(SEED))
    return model


@torch.no_grad()
def held_out_scores(pack: Path, out: Path) -> dict[str, float | int]:
    """Zero-shot top-1 on the renders of held-out objects, through the loader that users have."""
    clip = load_openclip(f"local-dir:{out}")
    classes = load_classes(pack)
    objects = [s for s in load_subjects(pack, "objects", "test") if s.label]
    renders = load_renders(pack, objects, clip.image_size)
    labels = torch.tensor([classes.index(str(subject.label)) for subject in objects])
    labels = labels.repeat_interleave(renders.shape[1])
    inputs = torch.stack([clip.preprocess(image.numpy()) for image in renders.flatten(0, 1)])
    features = nn.functional.normalize(clip.encode_image(inputs), dim=-1)
    guesses = (features @ class_embeddings(clip.encode_text, classes, PHOTO).T).argmax(dim=1)
    return {
        "samples": len(labels),
        "majority": round(float(labels.bincount().max() / len(labels)), 4),
        "top1": round(float((guesses == labels).float().mean()), 4),
    }

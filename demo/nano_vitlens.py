"""The nano ViT-Lens, a lens each for depth and sounds, and their training."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Generator, Tensor, nn

from demo.contrastive import LOG_SCALE_MOST, positives, symmetric_loss
from demo.epochs import Schedule, train_epochs
from demo.frozen_clip import halved, load_clip, text_arch, text_tensors
from demo.held_out import scores
from demo.lens_data import SIZES, LensSample, load_samples, load_source, paired_images
from demo.nano_clip import CONFIG
from pipeline.openclip import OpenClip
from pipeline.prompts import templates
from pipeline.views import EVALUATION, ViewMaker, chain_for
from stage1_extract.teachers import load_teacher
from stage1_extract.teachers.filterbank import view_bank
from stage1_extract.teachers.vitlens_lenses import (
    AudioLens,
    LensArch,
    LensTower,
    PatchAdapter,
    build_lens,
)
from stage1_extract.teachers.vitlens_preprocess import prepare_disparity

OUT = Path("demo/nano/vitlens")
VISION = CONFIG["vision_cfg"]
LATENTS = (VISION["image_size"] // VISION["patch_size"]) ** 2
TRUNK = {
    "width": VISION["width"], "layers": VISION["layers"],
    "heads": VISION["width"] // VISION["head_width"], "dim": CONFIG["embed_dim"],
    "quick_gelu": CONFIG["quick_gelu"],
}  # fmt: skip
BATCH, SEED, CAPTIONS = 64, 0, 8
"""CAPTIONS: captions drawn beforehand for each sample, from which an epoch takes one."""


@dataclass(frozen=True)
class Lens:
    """One modality's lens: sizes, data and what of it is trained."""

    modality: str
    converter: str
    prompts: str
    sizes: dict[str, Any]
    trained: tuple[str, ...]
    """Prefixes of the parameters that learn; the others stay CLIP's."""
    epochs: int
    peak_lr: float

    @property
    def arch(self) -> LensArch:
        """Of the tower."""
        return msgspec.convert({**self.sizes, **TRUNK}, LensArch)


LENSES = (
    Lens(
        modality="depth",
        converter="pack_depths",
        prompts="photo",
        sizes={
            "lens": {"modality": "depth", "image_size": VISION["image_size"],
                     "patch_size": VISION["patch_size"]},
        },
        trained=("visual_adapter.", "transformer.resblocks.0.", "transformer.resblocks.1."),
        epochs=40,
        peak_lr=1e-3,
    ),
    Lens(
        modality="audio",
        converter="pack_sounds",
        prompts="sound",
        sizes={
            "lens": {"modality": "audio", "frames": 200, "patch_size": 16, "stride": 12},
            "perceiver": {"depth": 1, "latents": LATENTS, "latent_heads": 4, "head_dim": 32},
        },
        trained=("visual_adapter.", "perceiver.", "class_embedding"),
        epochs=40,
        peak_lr=3e-3,
    ),
)  # fmt: skip


def make(
    pack: Path, clip_folder: Path, out: Path, lenses: Sequence[Lens]
) -> dict[str, dict[str, float | int]]:
    """Train on a pack's train split against a nano CLIP, write everything to `out`; the held-out
    scores by modality."""
    out.mkdir(parents=True, exist_ok=True)
    clip, log = load_clip(clip_folder), out / "train.log"
    log.write_text("")
    towers = {lens.modality: train(pack, lens, clip, log) for lens in lenses}
    text = text_arch(clip_folder, out)
    for lens in lenses:
        arch = {**lens.sizes, **TRUNK, "text": text}
        (out / f"{lens.modality}.json").write_text(json.dumps(arch, indent=1) + "\n")
    write(out / "vitlens.pt", clip, towers)
    reached = {lens.modality: held_out_scores(pack, lens, out) for lens in lenses}
    (out / "scores.json").write_text(json.dumps(reached, indent=1) + "\n")
    return reached


def train(pack: Path, lens: Lens, clip: OpenClip, log: Path) -> LensTower:
    """Train for `lens.epochs` passes over the train split; the loss goes to `log`."""
    source = load_source(pack, lens.converter, "train")
    samples = load_samples(source, lens.modality)
    generator = Generator().manual_seed(SEED)
    images, texts = paired_images(source, clip), caption_features(lens, samples, clip, generator)
    tower = initial_tower(lens, clip)
    log_scale = nn.Parameter(clip.model.state_dict()["logit_scale"].clone())
    schedule = Schedule(lens.epochs, BATCH, lens.peak_lr)

    def loss_of(rows: Tensor, epoch: int) -> Tensor:
        log_scale.data.clamp_(max=LOG_SCALE_MOST)
        features = tower(views(lens, [samples[row] for row in rows], epoch))
        targets = positives([samples[row].concept for row in rows])
        caption = torch.randint(CAPTIONS, (len(rows),), generator=generator)
        loss = symmetric_loss(features, texts[rows, caption], log_scale, targets)
        if images is not None:
            loss = loss + symmetric_loss(features, images[rows], log_scale, targets)
        return loss

    trained = [*tower.parameters(), log_scale]
    what = f"{lens.modality} epoch"
    train_epochs(trained, len(samples), schedule, generator, loss_of, log, what)
    return tower.eval()


def initial_tower(lens: Lens, clip: OpenClip) -> LensTower:
    """CLIP's ViT behind a new lens; only what ViT-Lens trains takes gradients."""
    tower = build_lens(lens.arch, seed=SEED)
    state = {
        name.removeprefix("visual."): tensor
        for name, tensor in clip.model.state_dict().items()
        if name.startswith("visual.") and name != "visual.conv1.weight"
    }
    tower.load_state_dict(state, strict=False)
    start_from_image_patches(tower.visual_adapter, clip)
    for name, parameter in tower.named_parameters():
        parameter.requires_grad = name.startswith(lens.trained)
    return tower.train()


@torch.no_grad()
def start_from_image_patches(adapter: nn.Module, clip: OpenClip) -> None:
    """Give the one channel's patches the sum of CLIP's over three, as of a grey picture."""
    assert isinstance(adapter, PatchAdapter), "depth and audio have patches"
    patches = clip.model.state_dict()["visual.conv1.weight"]
    adapter.conv1.weight.copy_(patches.sum(dim=1, keepdim=True))
    adapter.pos_emb.zero_()


def views(lens: Lens, samples: list[LensSample], view: int) -> Tensor:
    """Model inputs [B, ...] of a seeded view of each sample, or of `EVALUATION`."""
    maker = ViewMaker(chain_for(lens.modality, lens.modality), SEED, SIZES)
    sizes = lens.arch.lens
    arrays = [maker(s.decoded, f"nano-vitlens/{s.key}", view).array for s in samples]
    if isinstance(sizes, AudioLens):
        return torch.stack([view_bank(a, sizes.frames, sizes.mels) for a in arrays])
    return torch.stack([prepare_disparity(a, VISION["image_size"]) for a in arrays])


@torch.no_grad()
def caption_features(
    lens: Lens, samples: list[LensSample], clip: OpenClip, generator: Generator
) -> Tensor:
    """Frozen text features [samples, CAPTIONS, dim]."""
    prompts = templates(lens.prompts)
    drawn = [s.draw_caption(prompts, generator) for s in samples for _ in range(CAPTIONS)]
    return clip.encode_text(drawn).view(len(samples), CAPTIONS, -1)


def write(path: Path, clip: OpenClip, towers: dict[str, LensTower]) -> None:
    """Write the float16 checkpoint.

    What the towers still share with CLIP's image tower is one storage in the file.
    """
    tensors = {f"vitlens.text.{n}": t for n, t in halved(text_tensors(clip)).items()}
    shared: dict[str, Tensor] = {}
    for modality, tower in towers.items():
        for name, tensor in halved(tower.state_dict()).items():
            first = shared.setdefault(name, tensor)
            same = first.shape == tensor.shape and torch.equal(first, tensor)
            tensors[f"vitlens.{modality}.{name}"] = first if same else tensor
    torch.save({"state_dict": tensors}, path)


def held_out_scores(pack: Path, lens: Lens, out: Path) -> dict[str, float | int]:
    """Zero-shot top-1 on the test split, through the loader that users have."""
    arch = out / f"{lens.modality}.json"
    teacher = load_teacher("vitlens", weights=str(out / "vitlens.pt"), arch=str(arch))
    source = load_source(pack, lens.converter, "test")
    samples = [sample for sample in load_samples(source, lens.modality) if sample.label]
    inputs, labels = views(lens, samples, EVALUATION), [str(s.label) for s in samples]
    return scores(teacher, inputs, labels, source.classes, templates(lens.prompts))

"""Train a nano MultiMAE of depth alone, by masked autoencoding, on a train split.

It learns to rebuild the patches of a standardised depth map that it does not see (three quarters,
mean absolute error, as MultiMAE does for depth); the decoder is thrown away. No text and no image
takes part, so its score is that of a linear probe, not zero-shot.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from timm.layers import build_sincos2d_pos_embed
from timm.models.vision_transformer import Block
from torch import Generator, Tensor, nn
from torch.nn.functional import l1_loss

from demo.epochs import Schedule, train_epochs
from demo.frozen_clip import halved
from demo.lens_data import SIZES as VIEWS
from demo.lens_data import LensSample, load_samples, load_source
from pipeline.views import EVALUATION, ViewMaker, chain_for
from stage1_extract.teachers import Teacher, load_teacher
from stage1_extract.teachers.multimae import MultiMaeArch, MultiViT, standardise_depth

SIZES = {
    "width": 128, "depth": 4, "heads": 4, "grid": 8, "patch_size": 8, "modalities": ["depth"],
}  # fmt: skip
BATCH, PEAK_LR, SEED, SEEN, DECODER_DEPTH = 64, 1e-3, 0, 0.25, 1
MOST = 5.0
"""Deviations beyond it are not rebuilt: a thin thing before a flat wall may be thousands away."""


class Pretraining(nn.Module):
    """A MultiMAE of depth with a mask token, a decoder and a head of pixels."""

    def __init__(self, arch: MultiMaeArch) -> None:
        super().__init__()
        self.arch, self.model = arch, MultiViT(arch)
        table = build_sincos2d_pos_embed([arch.grid, arch.grid], arch.width)
        pixels = arch.patch_size**2
        with torch.no_grad():
            positions = table.T.reshape(1, arch.width, arch.grid, arch.grid)
            self.model.get_parameter("input_adapters.depth.pos_emb").copy_(positions)
        self.positions = nn.Parameter(table[None].clone())
        self.mask_token = nn.Parameter(torch.zeros(1, 1, arch.width))
        self.decoder = nn.Sequential(
            *(Block(arch.width, arch.heads) for _ in range(DECODER_DEPTH)),
            nn.LayerNorm(arch.width),
            nn.Linear(arch.width, pixels),
        )

    def forward(self, depth: Tensor, generator: Generator) -> Tensor:
        """Mean absolute error over the hidden patches of maps [B, 1, H, W]."""
        tokens = self.model.input_adapters["depth"](depth)
        order = torch.rand(tokens.shape[:2], generator=generator).argsort(dim=1)
        count = max(1, int(SEEN * tokens.shape[1]))
        seen, hidden = order[:, :count], order[:, count:]
        whole = self.model.global_tokens.expand(len(depth), -1, -1)
        visible = torch.cat([_rows(tokens, seen), whole], 1)
        encoded = self.model.encoder(visible)[:, :-1]
        unknown = self.mask_token.expand(*hidden.shape, -1)
        places = _rows(self.positions.expand(len(depth), -1, -1), torch.cat([seen, hidden], 1))
        rebuilt = self.decoder(torch.cat([encoded, unknown], 1) + places)[:, count:]
        return l1_loss(rebuilt, _rows(self._pixels(depth), hidden).clamp(-MOST, MOST))

    def _pixels(self, depth: Tensor) -> Tensor:
        """Patches [B, patches, pixels] in the order of the tokens."""
        side = self.arch.patch_size
        return depth.unfold(2, side, side).unfold(3, side, side).flatten(4).flatten(1, 3)


def make(pack: Path, out: Path, epochs: int) -> dict[str, float | int]:
    """Train on a pack's train split, write everything to `out`; the scores of its linear probe."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "arch.json").write_text(json.dumps(SIZES, indent=1) + "\n")
    samples = load_samples(load_source(pack, "pack_depths", "train"), "depth")
    model = train(samples, msgspec.convert(SIZES, MultiMaeArch), epochs, out / "train.log")
    torch.save({"model": halved(model.state_dict())}, out / "checkpoint.pt")
    files = {"weights": str(out / "checkpoint.pt"), "arch": str(out / "arch.json")}
    held_out = load_samples(load_source(pack, "pack_depths", "test"), "depth")
    reached = probe_scores(load_teacher("multimae", **files), samples, held_out)
    (out / "scores.json").write_text(json.dumps(reached, indent=1) + "\n")
    return reached


def train(samples: Sequence[LensSample], arch: MultiMaeArch, epochs: int, log: Path) -> MultiViT:
    """Train for `epochs` passes over the samples; the loss goes to `log`."""
    generator = Generator().manual_seed(SEED)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        training = Pretraining(arch).train()

    def loss_of(rows: Tensor, epoch: int) -> Tensor:
        return training(views([samples[row] for row in rows], epoch), generator)

    log.write_text("")
    schedule = Schedule(epochs, BATCH, PEAK_LR, most_norm=1.0)
    train_epochs(training.parameters(), len(samples), schedule, generator, loss_of, log)
    return training.model.eval()


def views(samples: Sequence[LensSample], view: int) -> Tensor:
    """Standardised depth [B, 1, H, W] of a seeded view of each sample, or of `EVALUATION`."""
    maker = ViewMaker(chain_for("depth", "depth"), SEED, VIEWS)
    arrays = (maker(s.decoded, f"nano-mae/{s.key}", view).array for s in samples)
    return torch.stack([standardise_depth(torch.from_numpy(array)) for array in arrays])


def probe_scores(
    teacher: Teacher, train: Sequence[LensSample], held_out: Sequence[LensSample]
) -> dict[str, float | int]:
    """Top-1 on the labelled held-out samples of a logistic regression on the others' features."""
    known, asked = ([s for s in part if s.label] for part in (train, held_out))
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    features = (teacher.encode(views(part, EVALUATION)).numpy() for part in (known, asked))
    probe.fit(next(features), [s.label for s in known])
    top1 = probe.score(next(features), [s.label for s in asked])
    return {"samples": len(asked), "probe_top1": round(float(top1), 4)}


def _rows(tokens: Tensor, indices: Tensor) -> Tensor:
    return tokens.gather(1, indices[:, :, None].expand(-1, -1, tokens.shape[2]))

"""Train a nano ReCon against the frozen nano CLIP, by ReCon's pre-training, on a train split.

It learns to rebuild the patches of a cloud that it does not see (L2 Chamfer distance, 60 % masked,
the decoder is thrown away), while its image and text queries, whose gradients stop at the patches,
follow the CLIP's features of a render and a caption (smooth L1, positives only). Of the official
recipe (qizekun/ReCon, models/ReCon.py) the contrast among class tokens is left out: zero-shot does
not read them.
"""

import json
from pathlib import Path

import msgspec
import torch
from timm.models.vision_transformer import Block
from torch import Generator, Tensor, nn
from torch.nn.functional import smooth_l1_loss

from demo.epochs import Schedule, train_epochs
from demo.frozen_clip import halved, load_clip
from demo.nano_clip import CONFIG
from demo.nano_ulip import CAPTIONS, anchors, augmented, held_out_scores
from demo.training_data import load_clouds, load_subjects
from pipeline.openclip import OpenClip
from stage1_extract.teachers import load_teacher
from stage1_extract.teachers.point_bert import position_mlp
from stage1_extract.teachers.point_grouping import group_points, take_points
from stage1_extract.teachers.recon import ReConArch, ReConZeroShot

SIZES = {
    "width": 128, "depth": 4, "heads": 4, "groups": 32, "group_size": 16,
    "dim": CONFIG["embed_dim"],
}  # fmt: skip
BATCH, PEAK_LR, SEED, MASKED, DECODER_DEPTH = 64, 1e-3, 0, 0.6, 2


class Pretraining(nn.Module):
    """A ReCon with what only its pre-training has: a mask token, a decoder, a head of points."""

    def __init__(self, arch: ReConArch) -> None:
        super().__init__()
        self.arch, self.model = arch, ReConZeroShot(arch)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, arch.width))
        self.positions = position_mlp(arch.width)
        self.decoder = nn.ModuleList(Block(arch.width, arch.heads) for _ in range(DECODER_DEPTH))
        self.norm = nn.LayerNorm(arch.width)
        self.points = nn.Linear(arch.width, 3 * arch.group_size)
        self.apply(_initialise)
        tokens = [p for name, p in self.named_parameters() if name.endswith(("_token", "_pos"))]
        for token in tokens:
            nn.init.trunc_normal_(token, std=0.02)

    def forward(self, clouds: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return the reconstruction loss, and image and text features [B, dim] of [B, N, 3]."""
        encoder = self.model.MAE_encoder
        centres, patches = group_points(clouds, self.arch.groups, self.arch.group_size)
        order = torch.rand(centres.shape[:2], generator=generator).argsort(dim=1)
        masked = int(MASKED * self.arch.groups)
        hidden, seen = order[:, :masked], order[:, masked:]
        tokens = encoder.encoder(_taken(patches, seen))
        queries, tokens = encoder.streams(tokens, encoder.pos_embed(take_points(centres, seen)))
        ordered = take_points(centres, torch.cat([seen, hidden], 1))
        rebuilt = self._rebuilt(encoder.norm(tokens), ordered)
        _, image, text = encoder.norm(queries).unbind(1)
        loss = chamfer(rebuilt, _taken(patches, hidden))
        return loss, self.model.img_proj(image), self.model.text_proj(text)

    def _rebuilt(self, tokens: Tensor, centres: Tensor) -> Tensor:
        """Patches [B, hidden, S, 3] of the tokens of the seen ones, whose centres come first."""
        count = tokens.shape[1]
        unknown = self.mask_token.expand(len(tokens), centres.shape[1] - count, -1)
        x, positions = torch.cat([tokens, unknown], 1), self.positions(centres)
        for block in self.decoder:
            x = block(x + positions)
        return self.points(self.norm(x[:, count:])).unflatten(2, (-1, 3))


def make(pack: Path, clip_folder: Path, out: Path, epochs: int) -> dict[str, float | int]:
    """Train on a pack's train split against a nano CLIP, write everything to `out`; the held-out
    scores."""
    out.mkdir(parents=True, exist_ok=True)
    arch = {**SIZES, "text_openclip": [f"local-dir:{clip_folder}", None]}
    (out / "arch.json").write_text(json.dumps(arch, indent=1) + "\n")
    sizes = msgspec.convert(arch, ReConArch)
    model = train(pack, load_clip(clip_folder), sizes, epochs, out / "train.log")
    torch.save({"base_model": halved(model.state_dict())}, out / "checkpoint.pt")
    files = {"weights": str(out / "checkpoint.pt"), "arch": str(out / "arch.json")}
    reached = held_out_scores(pack, load_teacher("recon", **files))
    (out / "scores.json").write_text(json.dumps(reached, indent=1) + "\n")
    return reached


def train(pack: Path, clip: OpenClip, arch: ReConArch, epochs: int, log: Path) -> ReConZeroShot:
    """Train for `epochs` passes over the train objects; the loss goes to `log`."""
    subjects = load_subjects(pack, "objects", "train")
    clouds, generator = load_clouds(pack, subjects), Generator().manual_seed(SEED)
    images, texts = anchors(pack, clip, subjects, generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        training = Pretraining(arch).train()

    def loss_of(rows: Tensor, epoch: int) -> Tensor:
        views = [augmented(clouds[row], subjects[row].id, epoch) for row in rows]
        loss, image, text = training(torch.stack(views), generator)
        camera = torch.randint(images.shape[1], (len(rows),), generator=generator)
        caption = torch.randint(CAPTIONS, (len(rows),), generator=generator)
        contrast = smooth_l1_loss(image, images[rows, camera])
        return loss + contrast + smooth_l1_loss(text, texts[rows, caption])

    log.write_text("")
    schedule = Schedule(epochs, BATCH, PEAK_LR, most_norm=1.0)
    train_epochs(training.parameters(), len(subjects), schedule, generator, loss_of, log)
    return training.model.eval()


def chamfer(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared distance to the nearest point, both ways, of patches [B, G, S, 3]."""
    squared = (found[..., :, None, :] - wanted[..., None, :, :]).square().sum(-1)
    return squared.amin(-1).mean() + squared.amin(-2).mean()


def _taken(patches: Tensor, indices: Tensor) -> Tensor:
    return take_points(patches.flatten(2), indices).unflatten(2, patches.shape[2:])


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv1d):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)

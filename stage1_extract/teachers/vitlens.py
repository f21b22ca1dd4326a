"""ViT-Lens-L: points, depth and audio through a lens and a ViT, into CLIP ViT-L/14's space.

Facts: TencentARC/ViT-Lens@2b4f2e0, vitlens/src/mm_vit_lens and vitlens/src/open_clip.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from open_clip.transformer import TextTransformer
from torch import Tensor, nn

from pipeline.batched_spectrogram import packed
from pipeline.checkpoint import Ignored, load_checkpoint, load_state, nested
from pipeline.errors import UserError
from pipeline.views.audio import AudioView
from stage1_extract.teachers import filterbank
from stage1_extract.teachers import vitlens_preprocess as constants
from stage1_extract.teachers.arch_file import read_arch
from stage1_extract.teachers.clip_text import ClipTextArch, ClipTokenizer
from stage1_extract.teachers.perceiver import PerceiverArch
from stage1_extract.teachers.protocol import (
    Card,
    Described,
    Modality,
    Teacher,
    find_card,
    published_file,
)
from stage1_extract.teachers.slip_text import TEXT_KEYS, build_slip_text, encode_prompts
from stage1_extract.teachers.vitlens_lenses import (
    AudioLens,
    DepthLens,
    LensArch,
    LensTower,
    PointLens,
)
from stage1_extract.teachers.vitlens_preprocess import (
    prepare_cloud,
    prepare_clouds,
    prepare_disparities,
    prepare_disparity,
)

TOWERS = ("image", "text", "pc", "depth", "audio", "tactile", "eeg")
"""What the all-in-one file may hold, as `vitlens.TOWER.*`."""
TOWER_OF: dict[type, str] = {PointLens: "pc", DepthLens: "depth", AudioLens: "audio"}
Lens = PointLens | DepthLens | AudioLens
IGNORED = (
    ("image.*", "the frozen image tower of training: no lens passes through it"),
    ("logit_scale", "the temperature of training; official zero-shot does not use it"),
)


class VitLensArch(LensArch, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A lens tower and the text tower in whose space it was trained."""

    text: ClipTextArch = ClipTextArch()
    """The tower whose weights are in the same checkpoint."""


ARCHS = {
    "vitlens-l-pc": VitLensArch(lens=PointLens(), perceiver=PerceiverArch()),
    "vitlens-l-depth": VitLensArch(lens=DepthLens()),
    "vitlens-l-audio": VitLensArch(
        lens=AudioLens(), perceiver=PerceiverArch(depth=2, self_per_cross=3)
    ),
}


def _card(arch: str, modality: Modality, file: str) -> Card:
    sizes = ARCHS[arch]
    return Card(
        name="vitlens",
        arch=arch,
        modality=modality,
        dim=sizes.dim,
        text_space="open_clip ViT-L-14 datacomp_xl_s13b_b90k, in the same file",
        weights=f"{file} of hf://TencentARC/ViT-Lens, or its all-in-one vitlensL.pt",
        licence="Apache-2.0",
        source="github.com/TencentARC/ViT-Lens@2b4f2e0",
        preprocessing=_preprocessing(sizes.lens),
    )


def _preprocessing(lens: Lens) -> str:
    if isinstance(lens, PointLens):
        return (
            f"xyz, of larger clouds the {lens.points} farthest points from index 0; raw clouds, "
            "which reach beyond every view, are centred and scaled to radius 1"
        )
    if isinstance(lens, DepthLens):
        return (
            f"disparity in pixels clamped to {constants.NEAREST}..{constants.FARTHEST}, "
            f"/{constants.FARTHEST}, bicubic resize without antialias and centre crop to "
            f"{lens.image_size}; mean {constants.MEAN}, std {constants.STD}"
        )
    return (
        f"16 kHz, 5 s (three clips of longer waveforms), mean removed; Kaldi log-mel, {lens.mels} "
        f"bins, 25 ms Hanning windows, 10 ms shift, zero rows to {lens.frames} frames; "
        f"mean {filterbank.MEAN}, std {filterbank.STD}"
    )


CARDS = (
    _card("vitlens-l-pc", "points", "Datacomp_L14_objaverse.pt (or Datacomp_L14_ShapeNet.pt)"),
    _card("vitlens-l-depth", "depth", "vitlensL_depth.pt"),
    _card("vitlens-l-audio", "audio", "vitlensL_audio.pt"),
)


@dataclass(frozen=True)
class VitLensTeacher(Described):
    """Features of a frozen ViT-Lens for one modality."""

    sizes: VitLensArch
    tower: LensTower
    text_tower: TextTransformer
    tokenizer: ClipTokenizer

    def preprocess(self, view: np.ndarray | AudioView) -> Tensor:
        """Turn a canonical view into the official model's input, float32.

        Points [N, 3 or 6] become [N, 3]; disparity in pixels [1, H, W] becomes [1, S, S]; an
        `AudioView` becomes a filterbank [frames, mels] with its masks and noise; a bare waveform
        [N] or [channels, N] at 16 kHz becomes a filterbank [frames, mels], or [3, frames, mels]
        for the official three clips of one longer than 5 s.
        """
        return _preprocessed(view, self.sizes.lens)

    @property
    def raw(self) -> Callable[[np.ndarray | AudioView], Tensor]:
        """Keeps a cloud's xyz or a map, and packs a sound; preprocesses bare waveforms."""
        return RawView(self.sizes.lens)

    def prepare(self, batch: Tensor) -> Tensor:
        """`preprocess` of each `raw` row."""
        lens = self.sizes.lens
        if isinstance(lens, PointLens):
            return prepare_clouds(batch, lens.points)
        if isinstance(lens, DepthLens):
            return prepare_disparities(batch, lens.image_size)
        return filterbank.packed_banks(batch, lens.frames) if batch.ndim == 2 else batch

    @torch.no_grad()
    def encode(self, batch: Tensor) -> Tensor:
        """Return features float32 [B, dim].

        `batch` is [B, N, 3], [B, 1, S, S] or [B, frames, mels]; of several clips
        [B, clips, frames, mels] the features are averaged.
        """
        clips = isinstance(self.sizes.lens, AudioLens) and batch.ndim == 4
        rows = batch.flatten(0, 1) if clips else batch
        _check(self.sizes.lens, rows)
        features = self.tower(rows.to(self.tower.proj.device)).float()
        return features.unflatten(0, batch.shape[:2]).mean(1) if clips else features

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Return features float32 [C, dim] of prompts, which are taken as they are."""
        return encode_prompts(self.text_tower, self.tokenizer, prompts)


@dataclass(frozen=True)
class RawView:
    """`VitLensTeacher.raw`."""

    lens: Lens

    def __call__(self, view: np.ndarray | AudioView) -> Tensor:
        """What crosses to the device of a canonical view."""
        lens = self.lens
        if isinstance(view, AudioView):
            assert isinstance(lens, AudioLens), "an audio view for a lens of another modality"
            return packed(view, lens.frames)
        if isinstance(lens, AudioLens):
            return _preprocessed(view, lens)
        return torch.from_numpy(np.array(view[:, :3]) if isinstance(lens, PointLens) else view)


def _preprocessed(view: np.ndarray | AudioView, lens: Lens) -> Tensor:
    if isinstance(view, AudioView):
        assert isinstance(lens, AudioLens), "an audio view for a lens of another modality"
        return filterbank.view_bank(view, lens.frames, lens.mels)
    if isinstance(lens, PointLens):
        return prepare_cloud(view, lens.points)
    if isinstance(lens, DepthLens):
        return prepare_disparity(view, lens.image_size)
    banks = [filterbank.log_mel(clip, lens.frames, lens.mels) for clip in filterbank.clips(view)]
    return filterbank.standardise(torch.stack(banks) if len(banks) > 1 else banks[0])


def load(arch: str, weights: str | None, device: str) -> Teacher:
    """Load an official file, of one modality or all-in-one.

    `arch` is a name, or a JSON file of the fields of `VitLensArch`. A file in the layout of one
    modality is `{"state_dict": tensors}`, its lens tower at `visual.*`, its text tower at the
    root, all names with or without `module.`; in the all-in-one layout they are at
    `vitlens.{pc,depth,audio}.*` and `vitlens.text.*`.
    """
    card, sizes, arch_file = _describe(arch)
    path = published_file(card, weights)
    tensors = nested(load_checkpoint(path), "state_dict", path)
    with torch.device("meta"):
        tower, text = LensTower(sizes), build_slip_text(sizes.text, sizes.dim)
    _load_towers(tower, text, tensors, TOWER_OF[type(sizes.lens)], path)
    text.register_buffer("attn_mask", text.build_causal_mask(), persistent=False)
    if tower.perceiver is not None:
        tower.perceiver.tie_equal_layers()  # the ShapeNet file's
    for module in (tower, text):
        module.eval().requires_grad_(False).to(device)
    tokenizer = ClipTokenizer(sizes.text, arch_file)
    return VitLensTeacher(
        card, path, sizes, tower, text, tokenizer, arch_file=arch_file, merges=tokenizer.merges
    )


def _load_towers(
    tower: LensTower, text: TextTransformer, tensors: dict[str, Tensor], own: str, path: Path
) -> None:
    found = {name.split(".")[1] for name in tensors if name.startswith("vitlens.")}
    if not found:
        root = [name for name in tensors if name.split(".")[0] in TEXT_KEYS]
        load_state(text, {name: tensors.pop(name) for name in root}, path)
        load_state(_under("visual", tower), tensors, path, IGNORED)
        return
    for wanted in (own, "text"):
        if wanted not in found:  # the official loader passes over it and keeps random weights
            raise UserError(
                f"{path}: expected the tower 'vitlens.{wanted}.*', found only those of "
                f"{', '.join(sorted(found))}; take the file of this modality or export it again"
            )
    load_state(_under("vitlens.text", text), tensors, path, _all_but("text"))
    load_state(_under(f"vitlens.{own}", tower), tensors, path, _all_but(own))


def _all_but(wanted: str) -> Ignored:
    others = (tower for tower in TOWERS if tower != wanted)
    return [(f"vitlens.{tower}.*", "another tower of the all-in-one file") for tower in others]


def _under(prefix: str, module: nn.Module) -> nn.Module:
    """Give a module's tensors their official names, which errors then show."""
    for part in reversed(prefix.split(".")):
        module = nn.ModuleDict({part: module})
    return module


def _check(lens: Lens, batch: Tensor) -> None:
    if isinstance(lens, PointLens):
        wanted = f"clouds [B, N, 3] of {lens.group_size} points or more"
        fits = batch.ndim == 3 and batch.shape[1] >= lens.group_size and batch.shape[2] == 3
    elif isinstance(lens, DepthLens):
        wanted = f"disparity [B, 1, {lens.image_size}, {lens.image_size}]"
        fits = batch.shape[1:] == (1, lens.image_size, lens.image_size)
    else:
        wanted = f"filterbanks [B, {lens.frames}, {lens.mels}]"
        fits = batch.shape[1:] == (lens.frames, lens.mels)
    if not fits:
        raise UserError(f"expected {wanted}, found {list(batch.shape)}; use preprocess first")


def _describe(arch: str) -> tuple[Card, VitLensArch, Path | None]:
    if not arch.endswith(".json"):
        return find_card(CARDS, arch), ARCHS[arch], None
    path = Path(arch)
    sizes = read_arch(path, VitLensArch)
    card = replace(
        find_card(CARDS, f"vitlens-l-{TOWER_OF[type(sizes.lens)]}"),
        arch=arch,
        dim=sizes.dim,
        text_space="the text tower in the same file",
        weights="the checkpoint that was trained with it",
        preprocessing=_preprocessing(sizes.lens),
    )
    return card, sizes, path

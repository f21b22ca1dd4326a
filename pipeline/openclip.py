"""What both stages share of open_clip: one CLIP, frozen, with its own preprocessing and tokenizer.

The model, its tokenizer, its preprocessing constants and its checkpoint conversions are
open_clip's; this file picks them together so that they cannot disagree.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.unknown_name import unknown_name
from pipeline.unpickling import first_line
from pipeline.weights import (
    HUB_SCHEME,
    first_difference,
    load_checkpoint,
    resolve_weights,
)

LOCAL_DIR = "local-dir:"
DIR_CONFIG = "open_clip_config.json"
DIR_WEIGHTS = "open_clip_model.safetensors"
TEXT_BATCH = 256
PREPROCESSING = ("mean", "std", "interpolation", "resize_mode")


@dataclass(frozen=True)
class OpenClip:
    """A frozen open_clip model with what belongs to it."""

    arch: str
    """open_clip's model name, or `local-dir:PATH`."""
    weights: Path
    """The checkpoint file that was loaded."""
    model: nn.Module
    """In eval mode, float32, without gradients, on `device`."""
    tokenizer: Callable[[list[str]], Tensor]
    """Prompts to token ids int64 [C, context]."""
    image_size: int
    """Side S of the square input, in pixels."""
    mean: tuple[float, ...]
    """Channel means, subtracted after scaling to 0..1."""
    std: tuple[float, ...]
    """Channel deviations, divided by after the mean is subtracted."""
    interpolation: str
    """Resampling of views of another size: `bicubic` or `bilinear`."""
    resize_mode: str
    """`shortest` side to S, then centre crop; or `squash` both sides to S."""
    embed_dim: int
    """Width of the joint image and text space."""

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return next(self.model.parameters()).device

    def preprocess(self, view: np.ndarray) -> Tensor:
        """Turn a uint8 [3, H, W] view into the model's input, float32 [3, S, S].

        A view of the model's size is only scaled and normalised; any other goes through
        open_clip's own evaluation transform (antialiased resize, centre crop).
        """
        size = self.image_size
        if view.shape != (3, size, size):
            return self._official_transform()(Image.fromarray(view.transpose(1, 2, 0)))
        pixels = torch.from_numpy(np.array(view)).to(torch.float32).div(255)
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        return pixels.sub(mean.view(3, 1, 1)).div(std.view(3, 1, 1))

    def _official_transform(self) -> Callable[[Image.Image], Tensor]:
        constants = {name: getattr(self, name) for name in PREPROCESSING}
        return image_transform_v2(PreprocessCfg(size=self.image_size, **constants), is_train=False)

    @torch.no_grad()
    def encode_image(self, batch: Tensor) -> Tensor:
        """Return un-normalised float32 features [B, dim] of preprocessed images [B, 3, S, S]."""
        return cast(Any, self.model).encode_image(batch.to(self.device)).float()

    @torch.no_grad()
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Return un-normalised float32 features [C, dim] of prompts."""
        features = torch.empty(len(prompts), self.embed_dim, device=self.device)
        for start in range(0, len(prompts), TEXT_BATCH):
            ids = self.tokenizer(list(prompts[start : start + TEXT_BATCH])).to(self.device)
            features[start : start + len(ids)] = cast(Any, self.model).encode_text(ids)
        return features


def load_openclip(
    arch: str, weights: str | None = None, device: str | torch.device = "cpu"
) -> OpenClip:
    """Load a CLIP with weights; it is never left with random ones.

    `arch` is one of `open_clip.list_models()`, with `weights` an open_clip tag such as `openai`,
    a path or `hf://ORG/REPO/FILE`; or `local-dir:PATH`, a directory in open_clip's own layout
    (`open_clip_config.json` beside `open_clip_model.safetensors`), without `weights`. A tag
    brings its own preprocessing and QuickGELU; for a file of QuickGELU weights take the arch
    that ends in `-quickgelu`. Raises `UserError` for an unknown name, a missing or damaged file
    and weights of another architecture.
    """
    build = _from_local_dir if arch.startswith(LOCAL_DIR) else _from_built_in
    model, path = build(arch, weights)
    transform = open_clip.get_model_preprocess_cfg(model)
    size = transform["size"]
    return OpenClip(
        arch=arch,
        weights=path,
        model=model.to(device).eval().requires_grad_(False),
        tokenizer=_tokenizer(arch, getattr(model, "vocab_size", None)),
        image_size=size if isinstance(size, int) else size[0],
        mean=tuple(transform["mean"]),
        std=tuple(transform["std"]),
        interpolation=transform["interpolation"],
        resize_mode=transform["resize_mode"],
        embed_dim=int(open_clip.get_model_config(arch)["embed_dim"]),
    )


def _from_built_in(arch: str, weights: str | None) -> tuple[nn.Module, Path]:
    if arch not in open_clip.list_models():
        raise unknown_name("open_clip model", arch, open_clip.list_models())
    tag = open_clip.get_pretrained_cfg(arch, weights) if weights else {}
    path = _downloaded(arch, weights, tag) if tag else _file(arch, weights)
    constants = {name: tag[name] for name in PREPROCESSING if name in tag}
    model = _create(
        arch,
        path,
        pretrained=str(path),
        force_quick_gelu=bool(tag.get("quick_gelu")),
        force_preprocess_cfg=constants,
    )
    return model, path


def _from_local_dir(arch: str, weights: str | None) -> tuple[nn.Module, Path]:
    folder = Path(arch.removeprefix(LOCAL_DIR))
    if weights is not None:
        raise UserError(f"{arch} brings its own {DIR_WEIGHTS}; leave out weights '{weights}'")
    for name in (DIR_CONFIG, DIR_WEIGHTS):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder / name}: no such file; {LOCAL_DIR}PATH expects {DIR_CONFIG} beside "
                f"{DIR_WEIGHTS}, as open_clip's push_to_hf_hub writes them"
            )
    _read_local_config(arch)
    return _create(arch, folder / DIR_WEIGHTS), folder / DIR_WEIGHTS


def _read_local_config(arch: str) -> dict[str, Any]:
    path = Path(arch.removeprefix(LOCAL_DIR)) / DIR_CONFIG
    try:
        return json.loads(path.read_text())["model_cfg"]
    except (ValueError, KeyError) as error:
        raise UserError(f"{path}: expected JSON with the key model_cfg ({error})") from error


def _file(arch: str, weights: str | None) -> Path:
    tags = open_clip.list_pretrained_tags_by_model(arch)
    if weights is None:
        known = ", ".join(tags) or "none"
        raise UserError(
            f"{arch} needs weights: an open_clip tag (known: {known}), a path or hf://ORG/REPO/FILE"
        )
    looks_like_a_tag = not weights.startswith(HUB_SCHEME) and Path(weights).name == weights
    if looks_like_a_tag and not Path(weights).exists():
        raise unknown_name(f"weights file or tag of {arch}", weights, tags)
    return resolve_weights(weights)


def _downloaded(arch: str, weights: str | None, tag: dict[str, Any]) -> Path:
    try:
        return Path(open_clip.download_pretrained(tag))
    except (
        Exception
    ) as error:  # urllib, hub and file errors alike: open_clip passes on what it meets
        raise UserError(
            f"{arch}: weights tag '{weights}' could not be downloaded ({first_line(error)}); "
            "download the file yourself and give its path"
        ) from error


def _create(arch: str, path: Path, **settings: Any) -> nn.Module:
    # random initial weights are drawn and overwritten: keep the caller's generator as it was
    with torch.random.fork_rng(devices=[]):
        try:
            return open_clip.create_model(arch, require_pretrained=True, **settings)
        except UserError:
            raise
        except Exception as error:
            raise UserError(_why_not(arch, path, settings, error)) from error


def _why_not(arch: str, path: Path, settings: dict[str, Any], error: Exception) -> str:
    if path.suffix in (".npz", ".npy"):
        return f"{path}: does not load into {arch} ({first_line(error)})"
    tensors = load_checkpoint(path)
    tensors = tensors.get("state_dict", tensors)
    settings = {**settings, "pretrained": None, "load_weights": False, "pretrained_text": False}
    model = open_clip.create_model(arch, **settings)
    difference = first_difference(model, tensors) or first_line(error)
    return f"{path}: {difference}; is this a file of {arch}?"


def _tokenizer(arch: str, vocabulary: int | None) -> Callable[[list[str]], Tensor]:
    """Return the model's tokenizer; a `bpe_path` of a local directory is relative to it."""
    settings = {}
    if arch.startswith(LOCAL_DIR):
        folder = Path(arch.removeprefix(LOCAL_DIR))
        settings = dict(_read_local_config(arch)["text_cfg"].get("tokenizer_kwargs") or {})
        if "bpe_path" in settings:
            settings["bpe_path"] = str(folder / settings["bpe_path"])
    try:
        tokenizer = open_clip.get_tokenizer(arch, **settings)
    except Exception as error:
        raise UserError(f"{arch}: no tokenizer ({first_line(error)})") from error
    size = getattr(tokenizer, "vocab_size", 0)
    if vocabulary is not None and size > vocabulary:
        raise UserError(
            f"{arch}: the tokenizer knows {size} tokens, the model {vocabulary}; "
            "its text_cfg needs the tokenizer_kwargs it was trained with"
        )
    return tokenizer

"""A frozen open_clip model, and how it comes to be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import Tensor, nn
from torch.serialization import safe_globals

from pipeline.checkpoint import refuse_non_finite
from pipeline.errors import UserError
from pipeline.identity import clip_identity
from pipeline.openclip import checks
from pipeline.openclip.files import DIR_CONFIG, DIR_WEIGHTS, LOCAL_DIR, local_dir, weights_file
from pipeline.openclip.local_config import read_local_config
from pipeline.openclip.settings import settings_of
from pipeline.openclip.tokenizer import load_tokenizer
from pipeline.torch_file import first_line
from pipeline.unknown_name import unknown_name
from pipeline.unpickling import settings_types

TEXT_BATCH = 256
_CONSTANTS = ("mean", "std", "interpolation", "resize_mode")


@dataclass(frozen=True)
class Preprocessing:
    """From a view to the model's input; the fields are those of `OpenClip`.

    It goes to other processes, where the model cannot.
    """

    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    resize_mode: str

    def __call__(self, view: np.ndarray) -> Tensor:
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
        constants = {name: getattr(self, name) for name in _CONSTANTS}
        return image_transform_v2(PreprocessCfg(size=self.image_size, **constants), is_train=False)


@dataclass(frozen=True)
class OpenClip:
    """A frozen open_clip model with what belongs to it."""

    arch: str
    """open_clip's model name, or `local-dir:PATH`."""
    weights: Path
    """The checkpoint file that was loaded."""
    config: Mapping[str, Any]
    """Sizes and switches that the model was built from, the activation among them."""
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
    def identity(self) -> dict[str, str]:
        """What its numbers depend on; hashes the weights when first asked for."""
        return clip_identity(
            weights=self.weights,
            config=self.config,
            preprocessing=self.preprocessing,
            merges=self.merges,
        )

    @property
    def files(self) -> list[Path]:
        """All files that its numbers depend on."""
        folder = local_dir(self.arch)
        described = [folder / DIR_CONFIG] if folder else []
        return [self.weights, *described, *([self.merges] if self.merges else [])]

    @property
    def preprocessing(self) -> str:
        """From a view to the model's input, in words."""
        return (
            f"{self.resize_mode} resize and centre crop to {self.image_size} "
            f"({self.interpolation}) unless of that size; /255, mean {self.mean}, std {self.std}"
        )

    @property
    def merges(self) -> Path | None:
        """The tokenizer's file, None for open_clip's own."""
        folder = local_dir(self.arch)
        name = (self.config["text_cfg"].get("tokenizer_kwargs") or {}).get("bpe_path")
        return folder / name if folder and name else None

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return next(self.model.parameters()).device

    @property
    def preprocess(self) -> "Preprocessing":
        """Turns a uint8 [3, H, W] view into the model's input, float32 [3, S, S]."""
        return Preprocessing(**{f.name: getattr(self, f.name) for f in fields(Preprocessing)})

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

    Args:
        arch: one of `open_clip.list_models()`; or `local-dir:PATH`, a directory in open_clip's own
            layout (`open_clip_config.json` beside `open_clip_model.safetensors`).
        weights: of a built-in arch: an open_clip tag such as `openai`, a path or
            `hf://ORG/REPO/FILE`, or `TAG=PATH`: a file that was trained with the settings of a tag.
        device: where the model will live.

    A tag brings its activation and preprocessing. For a file they are those of the config beside
    it, or those that all tags of the arch agree on.

    Raises:
        UserError: an unknown name, a missing or damaged file, weights of another architecture or
            image size or with NaN, a file whose settings nothing tells, a config that would choose
            code.
    """
    folder = local_dir(arch)
    build = partial(_of_folder, folder) if folder else partial(_built_in, arch)
    model, path, config = build(weights)
    refuse_non_finite(model.state_dict(), path)
    transform = open_clip.get_model_preprocess_cfg(model)
    size = transform["size"]
    return OpenClip(
        arch=arch,
        weights=path,
        config=config,
        model=model.to(device).eval().requires_grad_(False),
        tokenizer=load_tokenizer(arch, getattr(model, "vocab_size", None)),
        image_size=size if isinstance(size, int) else size[0],
        mean=tuple(transform["mean"]),
        std=tuple(transform["std"]),
        interpolation=transform["interpolation"],
        resize_mode=transform["resize_mode"],
        embed_dim=int(config["embed_dim"]),
    )


Built = tuple[nn.Module, Path, dict[str, Any]]
"""A model with its weights, their file, and what it was built from."""


def _built_in(arch: str, weights: str | None) -> Built:
    if arch not in open_clip.list_models():
        raise unknown_name("open_clip model", arch, open_clip.list_models())
    path = weights_file(arch, weights)
    settings = settings_of(arch, str(weights), path)
    options = {
        "force_quick_gelu": settings.quick_gelu,
        "force_preprocess_cfg": settings.constants,
    }
    try:
        with checks.readable(path) as plain, safe_globals(settings_types()):
            model = _created(arch, pretrained=str(plain), **options)
    except Exception as error:
        found = checks.difference(arch, path) or f"does not load into {arch} ({first_line(error)})"
        raise UserError(f"{path}: {found}; is this a file of {arch}?") from error
    checks.require_same_positions(model, path)
    return model, path, {**open_clip.get_model_config(arch), "quick_gelu": settings.quick_gelu}


def _of_folder(folder: Path, weights: str | None) -> Built:
    if weights is not None:
        raise UserError(
            f"{LOCAL_DIR}{folder} brings its own {DIR_WEIGHTS}; leave out weights '{weights}'"
        )
    for name in (DIR_CONFIG, DIR_WEIGHTS):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder / name}: no such file, seen from {Path.cwd()}; {LOCAL_DIR}PATH expects "
                f"{DIR_CONFIG} beside {DIR_WEIGHTS}, as open_clip's push_to_hf_hub writes them"
            )
    config, path = dict(read_local_config(folder).model), folder / DIR_WEIGHTS
    checks.require_promised_sizes(config, path)
    try:
        model = _created(f"{LOCAL_DIR}{folder}")
    except Exception as error:
        raise UserError(f"{path}: {first_line(error)}; is this a file of its config?") from error
    return model, path, {"quick_gelu": False, **config}


def _created(arch: str, **options: Any) -> nn.Module:
    # random initial weights are drawn and overwritten: keep the caller's generator as it was
    with torch.random.fork_rng(devices=[]):
        return open_clip.create_model(arch, require_pretrained=True, **options)

"""What a checkpoint does not say of its own model: activation and preprocessing constants."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import open_clip

from pipeline.errors import UserError
from pipeline.openclip import checks
from pipeline.openclip.files import DIR_CONFIG, WeightsSpec
from pipeline.openclip.local_config import LocalConfig, read_config


@dataclass(frozen=True)
class Settings:
    """As the model was trained with them."""

    quick_gelu: bool
    """x * sigmoid(1.702 x), as OpenAI's; False for the exact GELU."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    resize_mode: str

    @classmethod
    def of(cls, model: Mapping[str, Any], preprocess: Mapping[str, Any]) -> "Settings":
        """From a model config, and a tag or preprocessing config; open_clip's defaults beside."""
        known = {**asdict(open_clip.transform.PreprocessCfg()), **preprocess}
        return cls(
            quick_gelu=bool(model.get("quick_gelu") or preprocess.get("quick_gelu")),
            mean=tuple(known["mean"]),
            std=tuple(known["std"]),
            interpolation=known["interpolation"],
            resize_mode=known["resize_mode"],
        )

    @property
    def constants(self) -> dict[str, Any]:
        """The preprocessing alone, as open_clip takes it."""
        return {name: value for name, value in asdict(self).items() if name != "quick_gelu"}


def settings_of(arch: str, weights: str, path: Path) -> Settings:
    """Of a built-in arch: its tag's, the config's beside the file, or those all its tags agree on.

    Raises:
        UserError: the arch's published weights differ in them, and nothing says whose these are.
    """
    model, tag = open_clip.get_model_config(arch), WeightsSpec.parse(arch, weights).tag
    if tag is not None:
        return Settings.of(model, open_clip.get_pretrained_cfg(arch, tag))
    if (path.parent / DIR_CONFIG).exists():
        return _beside(arch, read_config(path.parent))
    tags = open_clip.list_pretrained_tags_by_model(arch)
    found = {Settings.of(model, open_clip.get_pretrained_cfg(arch, tag)) for tag in tags}
    if len(found) == 1:
        return found.pop()
    different = checks.difference(arch, path)
    if different:
        raise UserError(f"{path}: {different}; is this a file of {arch}?")
    example = tags[0] if tags else "TAG"
    way_out = f"give TAG={weights} with one of {', '.join(tags)} (say {example}={weights}), or "
    raise UserError(
        f"{weights}: a file does not say its activation and preprocessing, and the published "
        f"weights of {arch} {'differ in them' if tags else 'are unknown'}; "
        f"{way_out if tags else ''}put its {DIR_CONFIG} beside it"
    )


def _beside(arch: str, config: LocalConfig) -> Settings:
    """Of a file with open_clip's config beside it, which must be one of this arch."""
    ours, theirs = open_clip.get_model_config(arch), dict(config.model)
    for name in ("embed_dim", "vision_cfg", "text_cfg"):
        if ours[name] != theirs.get(name):
            raise UserError(
                f"{config.path}: {name} is {theirs.get(name)}, that of {arch} is {ours[name]}; "
                "is this a file of that arch?"
            )
    return Settings.of(theirs, config.preprocess)

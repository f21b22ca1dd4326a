"""`open_clip_config.json` of a folder from outside: sizes and switches, nothing that chooses code.

open_clip hands parts of this file to timm and transformers, which download and even run what it
names (`trust_remote_code`). So every field is one of those listed here, with a value in bounds.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from pipeline.errors import UserError
from pipeline.openclip.files import DIR_CONFIG
from pipeline.small_files import read_json

MAX_BYTES = 1 << 20
LARGEST = 1 << 20
"""Of any number; the tensors in the file say later whether the sizes are its own."""
MOST_LAYERS = 256
_CHOOSE_CODE = ("timm_", "hf_")
"""Beginnings of the fields that name models and tokenizers of other libraries."""
_TOKENIZER = {"bpe_path", "clean"}
_MODEL = {
    "embed_dim", "quick_gelu", "init_logit_scale", "init_logit_bias", "custom_text", "vision_cfg",
    "text_cfg",
}  # fmt: skip
_Positive = Annotated[float, msgspec.Meta(gt=0)]


@dataclass(frozen=True)
class LocalConfig:
    """A checked config."""

    path: Path
    model: Mapping[str, Any]
    """`model_cfg`."""
    preprocess: Mapping[str, Any]
    """`preprocess_cfg`, empty where there is none."""

    @property
    def tokenizer(self) -> dict[str, Any]:
        """Arguments of open_clip's own tokenizer; a `bpe_path` is a file of the same folder."""
        return dict(self.model["text_cfg"].get("tokenizer_kwargs") or {})


def read_local_config(folder: Path) -> LocalConfig:
    """Read and check the config in a folder that is a model of its own.

    Raises:
        UserError: not there, no JSON of the expected shape, or a field that may not be there.
    """
    config = read_config(folder)
    try:
        problem = next(_problems(config), None)
    except (KeyError, TypeError, AttributeError) as error:
        problem = f"model_cfg lacks a part of a CLIP's, or has another kind in its place ({error})"
    if problem:
        raise UserError(f"{config.path}: {problem}")
    return config


def read_config(folder: Path) -> LocalConfig:
    """Read a config whose model is not built from it; its preprocessing alone is checked.

    Raises:
        UserError: not there, no JSON, or without a usable model_cfg or preprocess_cfg.
    """
    path, mend = folder / DIR_CONFIG, "expected JSON with the keys model_cfg and preprocess_cfg"
    try:
        content = read_json(path, _Content, mend, MAX_BYTES)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {mend}") from None
    try:
        msgspec.convert(content.preprocess_cfg, _Preprocess)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: preprocess_cfg: {error}") from None
    return LocalConfig(path, content.model_cfg, content.preprocess_cfg)


class _Content(msgspec.Struct):
    model_cfg: dict[str, Any]
    preprocess_cfg: dict[str, Any] = {}


class _Preprocess(msgspec.Struct, forbid_unknown_fields=True):
    """open_clip's PreprocessCfg, with the values that it may have."""

    size: int | tuple[int, int] = 224
    mode: Literal["RGB"] = "RGB"
    mean: tuple[float, float, float] = (0, 0, 0)
    std: tuple[_Positive, _Positive, _Positive] = (1, 1, 1)
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    resize_mode: Literal["shortest", "longest", "squash"] = "shortest"
    fill_color: int = 0


def _problems(config: LocalConfig) -> Iterator[str]:
    model = config.model
    for section, known in (
        (model, _MODEL),
        (model["vision_cfg"], _declared(CLIPVisionCfg)),
        (model["text_cfg"], _declared(CLIPTextCfg)),
        (config.tokenizer, _TOKENIZER),
    ):
        yield from (_refused(name) for name in section.keys() - known)
    yield from _out_of_bounds(model, "model_cfg")
    merges = config.tokenizer.get("bpe_path", "bpe.txt.gz")
    if not isinstance(merges, str) or Path(merges).name != merges:
        yield f"bpe_path is {merges!r}; expected the name of a file in the same folder"


def _declared(config: type) -> set[str]:
    names = {field.name for field in fields(config)}
    return {name for name in names if not name.startswith(_CHOOSE_CODE)}


def _refused(name: str) -> str:
    if not name.startswith(_CHOOSE_CODE):
        return f"unknown field '{name}'; leave it out"
    return (
        f"'{name}' would have another library choose code or download it, which no file may; "
        "take the built-in arch by its name, with the file as its weights"
    )


def _out_of_bounds(value: Any, where: str) -> Iterator[str]:
    """Every number that is no size of a real model, before anything is built of it."""
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield from _out_of_bounds(child, f"{where}.{name}")
    elif isinstance(value, list):
        for child in value:
            yield from _out_of_bounds(child, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        most = MOST_LAYERS if where.endswith(".layers") else LARGEST
        if not -most <= value <= most:
            yield f"{where} is {json.dumps(value)}; expected at most {most}"

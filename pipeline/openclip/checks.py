"""A checkpoint against the model that its arch or config promises, tensor by tensor."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import open_clip
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from pipeline.checkpoint import first_difference, load_checkpoint, unwrapped
from pipeline.errors import UserError
from pipeline.openclip.untrained import untrained_model
from pipeline.script_archive import is_script
from pipeline.torch_file import damaged

_POSITIONS = ("positional_embedding", "pos_embed")
_NO_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")
"""Ends of the names of what a CLIP's archive holds beside its weights: sizes, the causal mask."""


def require_promised_sizes(config: Mapping[str, Any], path: Path) -> None:
    """Compare a folder's tensors with its config before memory is taken for either.

    Raises:
        UserError: the first tensor that is missing, of another shape or not expected.
    """
    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(damaged(path, error)) from error
    found = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    try:
        with torch.device("meta"):
            expected = _build(config)
    except Exception as error:  # sizes that fit no model make torch raise nearly anything
        raise UserError(f"{path}: its config describes no CLIP ({error})") from None
    difference = first_difference(expected, found)
    if difference:
        raise UserError(f"{path}: {difference}; is this a file of its config?")


def _build(config: Mapping[str, Any]) -> nn.Module:
    described = {name: value for name, value in config.items() if name != "custom_text"}
    kind = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    return kind(**described)


def require_same_positions(model: nn.Module, path: Path) -> None:
    """Refuse a file whose position embeddings are of another size: open_clip interpolates them.

    Raises:
        UserError: the first one, with both shapes.
    """
    if path.suffix in (".npz", ".npy"):
        return
    tensors = _tensors(path)
    for name, tensor in model.state_dict().items():
        if name.endswith(_POSITIONS) and name in tensors and tensors[name].shape != tensor.shape:
            raise UserError(
                f"{path}: tensor '{name}' of shape {list(tensor.shape)} expected, found shape "
                f"{list(tensors[name].shape)}; take the arch of that image size and prompt length"
            )


def difference(arch: str, path: Path) -> str | None:
    """The first tensor in which a file differs from a built-in arch, where it can be told."""
    if path.suffix in (".npz", ".npy"):
        return None
    model, tensors = untrained_model(arch, "meta"), _tensors(path)
    different = first_difference(model, tensors)
    if different is None and not any(name in load_checkpoint(path) for name in tensors):
        return "its tensors' names begin with the name of a wrapper; take that off"
    return different


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """The file for open_clip to read: of OpenAI's TorchScript archive its tensors, in another."""
    if not _is_archive(path):
        yield path
        return
    with TemporaryDirectory() as folder:
        plain = Path(folder) / path.name
        torch.save(_tensors(path), plain)
        yield plain


def _is_archive(path: Path) -> bool:
    return path.suffix not in (".npz", ".npy", ".safetensors") and is_script(path)


def _tensors(path: Path) -> dict[str, Tensor]:
    content = load_checkpoint(path)
    tensors = unwrapped(content.get("state_dict", content))
    if not _is_archive(path):
        return tensors
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(_NO_WEIGHTS)}

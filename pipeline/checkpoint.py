"""A checkpoint's tensors: read without running code, and every one accounted for in a module."""

import pickle
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.torch_file import check_container, damaged
from pipeline.unpickling import refused, settings_types, unpickled

_WRAPPERS = re.compile(r"^(?:module\.|_orig_mod\.)+")
Ignored = Sequence[tuple[str, str]]
"""Pairs of (shell-style pattern of tensor names, why those tensors are not wanted)."""


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a `.safetensors` or torch checkpoint on the CPU, without running any code it holds.

    The tensors of a zip-format checkpoint stay memory-mapped: they cost memory when used. The
    settings and numbers that training scripts save beside them are read too; of a TorchScript
    archive, as OpenAI gives its CLIPs out, the tensors alone.
    Raises `UserError` for a damaged file, for one that is no mapping, and for a pickle that asks
    for code, naming what it asks for and the conversion command.
    """
    check_container(path)
    if path.suffix == ".safetensors":
        try:
            return dict(load_file(path))
        except (SafetensorError, OSError, ValueError) as error:
            raise UserError(damaged(path, error)) from error
    try:
        checkpoint = unpickled(path, settings_types())
    except pickle.UnpicklingError as error:
        raise UserError(refused(path, error)) from error
    except Exception as error:  # what is damaged makes torch raise nearly anything
        raise UserError(damaged(path, error)) from error
    if not isinstance(checkpoint, Mapping):
        kind = type(checkpoint).__name__
        raise UserError(f"{path}: expected a mapping of names to tensors, found a {kind}")
    return dict(checkpoint)


def nested(checkpoint: Mapping[str, Any], key: str, source: Path) -> dict[str, Tensor]:
    """Return the tensors under the official nesting `checkpoint[key]`, under their own names."""
    inner = checkpoint.get(key)
    if not isinstance(inner, Mapping) or not all(isinstance(name, str) for name in inner):
        found = ", ".join(str(name)[:80] for name in list(checkpoint)[:4]) or "nothing"
        raise UserError(
            f"{source}: expected the weights under '{key}', found {found}; "
            "is this the published file of this architecture?"
        )
    return unwrapped(inner)


def unwrapped(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Remove what DataParallel and torch.compile put before every name, however often."""
    return {_WRAPPERS.sub("", name): tensor for name, tensor in tensors.items()}


def load_state(
    module: nn.Module, tensors: Mapping[str, Tensor], source: Path, ignored: Ignored = ()
) -> None:
    """Load `tensors` into `module`, every tensor of either side accounted for.

    A module built on the meta device gets float32 copies of the tensors as its own. Raises
    `UserError` naming the first tensor that is missing, of another shape, unexpected or not
    finite.
    """
    wanted = {
        name: tensor
        for name, tensor in tensors.items()
        if not any(fnmatchcase(name, pattern) for pattern, _ in ignored)
    }
    difference = first_difference(module, wanted)
    if difference is not None:
        raise UserError(f"{source}: {difference}; is this the file of this architecture?")
    refuse_non_finite(wanted, source)
    on_meta = any(parameter.is_meta for parameter in module.parameters())
    if on_meta:
        wanted = {name: _own_float32(tensor) for name, tensor in wanted.items()}
    module.load_state_dict(wanted, strict=True, assign=on_meta)


def first_difference(module: nn.Module, tensors: Mapping[str, Tensor]) -> str | None:
    """Describe the first tensor in which `tensors` and `module` differ, with both shapes."""
    expected = module.state_dict()
    for name, tensor in expected.items():
        if name not in tensors:
            return f"tensor '{name}' of shape {list(tensor.shape)} expected, found no such tensor"
        found = _described(tensors[name])
        if found != _described(tensor):
            return f"tensor '{name}' of {_described(tensor)} expected, found {found}"
    for name, value in tensors.items():
        if name not in expected:
            found = f"{'one of ' * isinstance(value, Tensor)}{_described(value)}"
            return f"no tensor '{name}' expected, found {found}"
    return None


def refuse_non_finite(tensors: Mapping[str, Tensor], source: Path) -> None:
    """Raise `UserError` naming the first tensor that holds NaN or an infinite number.

    Reads each once, in place: 0.05 s a GB.
    """
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not tensor.numel():
            continue
        bounds = torch.stack(torch.aminmax(tensor.float() if tensor.itemsize == 1 else tensor))
        if not bounds.isfinite().all():
            found = "NaN" if bounds.isnan().any() else "an infinite number"
            raise UserError(
                f"{source}: tensor '{name}' holds {found}, expected finite weights; download it "
                "again, or take an earlier checkpoint"
            )


def _described(value: object) -> str:
    """The shape of a plain tensor; of anything else, what it is."""
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    if value.layout != torch.strided or value.is_quantized or value.is_complex():
        return f"a {value.layout} {value.dtype} tensor"
    return f"shape {list(value.shape)}"


def _own_float32(tensor: Tensor) -> Tensor:
    return tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)

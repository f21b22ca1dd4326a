"""How golden tests compare: official outputs, inner tensors of a module, relative L2."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

TOLERANCE = 1e-4


def outputs(case: str) -> dict[str, np.ndarray]:
    """Return the official outputs that the tests assert (`CASE.npz`)."""
    with np.load(Path(__file__).parent / f"{case}.npz") as file:
        return dict(file)


def record(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Return a dict that holds, after a forward pass, what each named module returned."""
    recorded: dict[str, Tensor] = {}
    for name, module in modules.items():
        module.register_forward_hook(
            lambda _module, _inputs, output, name=name: recorded.__setitem__(name, output)
        )
    return recorded


def relative_l2(found: Tensor | np.ndarray, expected: np.ndarray) -> float:
    """Return |found - expected| / |expected|, in float64; shapes must be equal."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        raise AssertionError(f"shape {found.shape} found, {expected.shape} expected")
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def assert_close(found: Tensor | np.ndarray, expected: np.ndarray, what: str) -> None:
    """Assert a relative L2 within the golden cases' tolerance."""
    error = relative_l2(found.detach() if isinstance(found, torch.Tensor) else found, expected)
    assert error <= TOLERANCE, f"{what}: relative L2 {error:.2e}"

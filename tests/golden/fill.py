"""The golden cases' weights: every tensor a fixed function of its official name (SPEC of golden/).

A case's official layout is `CASE.keys.json`: where the tensors lie in the checkpoint, their
prefix, and every key with its shape, copied from the golden case.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).parent
LOGIT_SCALE = 2.6592


def filled(key: str, shape: Sequence[int]) -> torch.Tensor:
    """Return the tensor of an official key; a leading `module.` does not count."""
    name = key.removeprefix("module.")
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name == "logit_scale":
        return torch.tensor(LOGIT_SCALE).reshape(shape)
    seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    z = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
    return torch.from_numpy(np.asarray(_scaled(name, z), np.float32))


def _scaled(name: str, z: np.ndarray) -> np.ndarray:
    if name.endswith("running_var"):
        return 0.5 + np.abs(z)
    if name.endswith("running_mean"):
        return 0.1 * z
    if z.ndim >= 2:
        return z / np.sqrt(np.prod(z.shape[1:]))
    return 1 + 0.1 * z if z.ndim == 1 and name.endswith("weight") else 0.1 * z


def official_keys(case: str) -> dict[str, list[int]]:
    """Return the official keys of a case with their shapes, in the checkpoint's order."""
    return json.loads((HERE / f"{case}.keys.json").read_text())


def save_official(path: Path, keys: dict[str, list[int]], nesting: str) -> Path:
    """Save the filled tensors as `{nesting: tensors}` beside what a training script saves."""
    tensors = {key: filled(key, shape) for key, shape in keys.items()}
    siblings: dict[str, Any] = {"epoch": 250, "optimizer": {"state": {}, "param_groups": []}}
    torch.save({nesting: tensors, **siblings}, path)
    return path

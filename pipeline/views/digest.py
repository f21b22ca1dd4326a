"""64-bit digests: of what was drawn for a view, of the view itself, and of a sample's key."""

from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
import xxhash


def params_digest(key: str, view: int, params: Any) -> int:
    """Digest of the drawn parameters (a dataclass of scalars and arrays) and whose they are.

    Floats enter as float32, so that the last bit of a logarithm cannot tell two machines apart.
    """
    state = blake2b(f"{key}/{view}/{type(params).__name__}".encode(), digest_size=8)
    for name in params.__dataclass_fields__:
        value = np.asarray(getattr(params, name))
        assert value.dtype.kind != "O", f"{name}: the bytes of an object are its address"
        if value.dtype.kind == "f":
            value = value.astype(np.float32)
        state.update(f"/{name}:".encode() + _type(value.dtype, value.shape))
        state.update(np.ascontiguousarray(value).tobytes())
    return int.from_bytes(state.digest(), "little")


def content_digest(view: Any) -> int:
    """xxh3-64 over dtype, shape and bytes of a finished view, an array or a dataclass of them."""
    state = xxhash.xxh3_64()
    parts = [view]
    if not isinstance(view, np.ndarray):
        parts = [np.asarray(getattr(view, name)) for name in view.__dataclass_fields__]
    for array in parts:
        state.update(_type(array.dtype, array.shape))
        state.update(np.ascontiguousarray(array).data)
    return state.intdigest()


@lru_cache(maxsize=256)
def _type(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """How an array's type enters a digest; most are of few types."""
    return f"{dtype.str}{shape}".encode()


def key_digest(key: str) -> int:
    """xxh3-64 of a sample's key; the store's `key_hash`."""
    return xxhash.xxh3_64_intdigest(key.encode())

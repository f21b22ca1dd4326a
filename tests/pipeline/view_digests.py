"""Digests of some views, made by four processes and printed as JSON: a script for tests."""

import json
from multiprocessing import get_context

import numpy as np

from pipeline.config import ViewsConfig
from pipeline.views import ViewMaker, chain_for

CHAINS = (("image", "image"), ("points", "points"), ("points", "image"))
PAIRS = [(chain, f"sample-{n}", view) for chain in CHAINS for n in range(6) for view in (-1, 0, 1)]


def decoded(member: str, key: str) -> np.ndarray:
    rng = np.random.default_rng(int(key.removeprefix("sample-")))
    if member == "points":
        return rng.normal(size=(200, 3)).astype(np.float32)
    return rng.integers(0, 256, (60, 50, 3), dtype=np.uint8)


def digests(pairs: list[tuple[tuple[str, str], str, int]]) -> dict[str, list[int]]:
    found = {}
    for chain, key, view in pairs:
        maker = ViewMaker(chain_for(*chain), 5, ViewsConfig(image_size=32, points=64))
        made = maker(decoded(maker.chain.member, key), key, view)
        found[f"{chain} {key} {view}"] = [made.params_digest, made.content_digest]
    return found


if __name__ == "__main__":
    with get_context("fork").Pool(4) as processes:
        parts = processes.map(digests, [PAIRS[first::4] for first in range(4)], chunksize=1)
    print(json.dumps({name: found for part in parts for name, found in part.items()}))

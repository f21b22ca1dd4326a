"""Every modality's views are the same in any process, order and Python hash seed."""

import os
import subprocess
import sys
from pathlib import Path

from pipeline.config import ViewsConfig
from pipeline.samples import decode_member
from pipeline.views import ViewMaker, chain_for
from tests.made_members import every_member

PAIRS = (
    ("image", "image"), ("video", "video"), ("points", "points"), ("points", "image"),
    ("depth", "depth"), ("depth", "image"), ("audio", "audio"), ("audio", "image"),
    ("audio", "video"),
)  # fmt: skip
SIZES = ViewsConfig(image_size=48, points=64, audio_seconds=1.0)


def digests(order: int) -> list[str]:
    """A line for each view of each chain, made in the given order (1 or -1)."""
    members, lines = every_member(), []
    for source, model in PAIRS[::order]:
        maker = ViewMaker(chain_for(source, model), 0, SIZES)
        for key in ("a", "b")[::order]:
            decoded = decode_member(members, maker.chain.member)
            for view in range(-1, 3)[::order]:
                made = maker(decoded, key, view)
                digest = f"{made.params_digest:x} {made.content_digest:x}"
                lines.append(f"{source} {model} {key} {view} {digest}")
    return sorted(lines)


def elsewhere(order: int, hash_seed: str) -> "subprocess.Popen[str]":
    code = f"from tests.pipeline.test_views_processes import *; print(*digests({order}), sep='\\n')"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_views_are_the_same_in_other_processes_orders_and_hash_seeds() -> None:
    others = [elsewhere(1, "1"), elsewhere(-1, "2")]
    here = digests(1)
    assert len(set(here)) == len(PAIRS) * 2 * 4
    for other in others:
        assert other.communicate()[0].splitlines() == here

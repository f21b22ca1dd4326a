"""ViT-Lens-L at full size against the official code's outputs, one modality after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from compare import assert_close, outputs, record
from fill import filled, official_keys
from vitlens_inputs import filterbanks, normalised_disparity, unit_clouds

from stage1_extract.teachers import load_teacher
from stage1_extract.teachers.point_grouping import group_points

CASES = {"depth": normalised_disparity, "audio": filterbanks, "pc": unit_clouds}


@dataclass(frozen=True)
class Run:
    """One forward pass of a loaded teacher, and what it should have given."""

    modality: str
    features: torch.Tensor
    inner: dict[str, torch.Tensor]
    golden: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def filled_once() -> Callable[[str, tuple[int, ...]], torch.Tensor]:
    """The lenses have most tensors in common, and filling them takes seconds."""
    return cache(filled)


@pytest.fixture(scope="module", params=CASES)
def run(request, filled_once, tmp_path_factory) -> Iterator[Run]:
    """Save the official file, load it, encode the case's input; the file goes at the end."""
    modality = request.param
    file = tmp_path_factory.mktemp("vitlens") / "official.pt"
    _save(file, modality, filled_once)
    teacher = load_teacher("vitlens", weights=str(file), arch=f"vitlens-l-{modality}")
    inner = record(_modules(teacher.tower, modality))
    features = teacher.encode(torch.from_numpy(CASES[modality]()))
    yield Run(modality, features, inner, outputs(f"vitlensL_{modality}"))
    file.unlink()


def _save(file: Path, modality: str, filled_once: Callable) -> None:
    # the lens tower by the rule; CLIP's towers as zeros that take no room
    lens = official_keys(f"vitlensL_{modality}")
    tensors = {key: filled_once(key, tuple(shape)) for key, shape in lens.items()}
    for key, shape in official_keys("vitlensL_clip").items():
        tensors[key] = torch.zeros(()).expand(shape)
    torch.save({"epoch": 80, "state_dict": tensors}, file)


def _modules(tower, modality: str) -> dict[str, torch.nn.Module]:
    adapter = tower.visual_adapter
    modules = {"tokens": adapter, "ln_pre": tower.ln_pre, "ln_post": tower.ln_post}
    modules |= {f"block{i}": tower.transformer.resblocks[i] for i in (0, 11, 23)}
    if modality == "pc":
        modules |= {"group_encoder": adapter.encoder, "adapter_x": adapter.reduce_dim}
        modules |= {"adapter_pos": adapter.pos_embed}
    if modality != "depth":
        modules["perceiver"] = tower.perceiver
        modules["perceiver_layer0_crossattn"] = tower.perceiver.layers[0][0]
    return modules


@pytest.mark.full_size
def test_features(run):
    assert_close(run.features, run.golden["feature"], "feature")


@pytest.mark.full_size
def test_every_token_on_the_way(run):
    for name, found in run.inner.items():
        if name == "ln_post":
            assert_close(found, run.golden[name], name)
            continue
        assert_close(found.double().norm(dim=-1), run.golden[f"{name}_toknorm"], name)
        assert_close(found.mean(1), run.golden[f"{name}_mean_over_tokens"], name)
        if f"{name}_first" in run.golden:
            assert_close(found[:, :2], run.golden[f"{name}_first"], name)


def test_centres_and_patches_of_points():
    golden = outputs("vitlensL_pc")
    clouds = torch.from_numpy(unit_clouds())
    centres, patches = group_points(clouds, 512, 32, skip_near_origin=False)
    assert np.array_equal(centres, golden["centers"])
    found = patches[:, :4].numpy().reshape(-1, 32, 3)
    ordered = [patch[np.lexsort(patch.T[::-1])] for patch in found]
    expected = golden["neighborhood_first_sorted"]
    assert_close(np.stack(ordered).reshape(expected.shape), expected, "patches")

"""The parameter table: every trainable parameter once, in its part; the paper's budget."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Literal, cast

import pytest
from open_clip.transformer import VisionTransformer
from torch import Generator, nn

from pipeline.config import load_params
from pipeline.config.student import StudentConfig
from pipeline.errors import UserError
from pipeline.openclip import OpenClip
from stage2_train.student import Student
from stage2_train.student.adapted_block import BlockExperts
from stage2_train.student.parameter_summary import planned_summary, summarise
from stage2_train.student.projectors import FeatureProjectors
from stage2_train.student.tokenizers import TOKENIZERS
from tests.tiny_world import tiny_params

ROOT = Path(__file__).parents[3]

PAPER_BUDGET = 7_800_000


def test_parts_add_up_to_all_trainable_parameters(student: Student) -> None:
    projectors = FeatureProjectors(student.width, {"ulip": 24}, "linear")
    table = summarise(student, projectors)
    assert table.total == sum(p.numel() for p in student.trainable().values())
    assert table.projectors == {"ulip": 32 * 24 + 24}
    # Two blocks, two shared experts of rank 4 on 32 -> 128 -> 32.
    assert table.student["experts", "shared"] == 2 * 2 * 4 * 2 * (32 + 128)
    assert table.student["experts", "points"] == table.student["experts", "image"]
    assert table.student["logit_scale", "shared"] == 1
    assert ("tokenizer", "image") not in table.student


def test_the_table_shows_every_part_and_both_totals(student: Student) -> None:
    text = str(summarise(student, FeatureProjectors(student.width, {"ulip": 24}, "mlp")))
    for word in ("tokenizer", "experts", "router", "projector", "ulip", "points"):
        assert word in text
    assert text.count("total") == 2


def test_the_papers_student_of_five_modalities_keeps_its_budget() -> None:
    """ViT-B/16 by the default config; one block is built and counted twelve times."""
    config = StudentConfig(modalities=tuple(TOKENIZERS))
    clip = nn.Module()
    clip.visual = VisionTransformer(224, 16, 768, layers=1, heads=12, mlp_ratio=4.0)
    generator = Generator().manual_seed(0)
    openclip = SimpleNamespace(model=clip, mean=(0.5,) * 3, std=(0.5,) * 3)
    tokenizers = {
        name: _count(build(cast(OpenClip, openclip), config, generator))
        for name, build in TOKENIZERS.items()
    }
    assert tokenizers == {
        "image": 0,
        "video": 3 * 16 * 16 * 768 + 4 * 768,
        "points": 725_248,
        "depth": 16 * 16 * 768 + (1 + 196) * 768,
        "audio": 128 * 8 * 768 + 768 + (1 + 123) * 768,
    }
    block = BlockExperts(clip.visual.transformer.resblocks[0], config, generator)
    total = 12 * _count(block) + sum(tokenizers.values()) + 1  # the logit scale
    assert total == 7_082_993
    assert total < PAPER_BUDGET


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@pytest.mark.parametrize(("projector", "count"), [("linear", 32 * 6 + 6), ("mlp", 33 * 32 + 198)])
def test_table_2s_switch_changes_the_projectors(
    cached_world: Path, projector: Literal["linear", "mlp"], count: int
) -> None:
    params = tiny_params(cached_world)
    student = replace(params.student, projector=projector)
    assert re.search(
        rf"projector +fake +{count:,}$", planned_summary(replace(params, student=student)), re.M
    )


def test_table_3s_switch_leaves_teachers_out(cached_world: Path) -> None:
    params = tiny_params(cached_world)
    train = replace(params.train, teachers=("clip-objects", "clip-renders"))
    assert "projector" not in planned_summary(replace(params, train=train))


@pytest.mark.full_size
def test_the_papers_recipe_needs_nothing_to_be_summarised() -> None:
    text = planned_summary(load_params(ROOT / "configs" / "unialign.yaml"))
    assert re.search(r"student +total +7,082,993$", text, re.M)
    assert text.count("no store yet") == 2


def test_an_unknown_clip_is_named(cached_world: Path) -> None:
    params = tiny_params(cached_world)
    student = replace(params.student, arch="ViT-B-61")
    with pytest.raises(UserError, match="unknown open_clip model 'ViT-B-61'"):
        planned_summary(replace(params, student=student))

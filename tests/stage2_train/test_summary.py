"""The parameter table: every trainable parameter once, in its part; the paper's budget."""

from types import SimpleNamespace
from typing import cast

from open_clip.transformer import VisionTransformer
from torch import Generator, nn

from pipeline.config.student import StudentConfig
from pipeline.openclip import OpenClip
from stage2_train.adapted_block import BlockExperts
from stage2_train.parameter_summary import summarise
from stage2_train.projectors import FeatureProjectors
from stage2_train.student import Student
from stage2_train.tokenizers import TOKENIZERS

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

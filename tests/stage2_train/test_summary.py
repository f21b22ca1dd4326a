"""The parameter table: every trainable parameter once, in its part; the paper's budget."""

from open_clip.transformer import VisionTransformer
from torch import Generator, nn

from pipeline.config.student import StudentConfig
from stage2_train.adapted_block import BlockExperts
from stage2_train.parameter_summary import summarise
from stage2_train.projectors import FeatureProjectors
from stage2_train.student import Student
from stage2_train.tokenizers.points import PointsTokenizer

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


def test_experts_and_points_of_the_paper_leave_room_for_three_more_tokenizers() -> None:
    config = StudentConfig(modalities=("image", "video", "points", "depth", "audio"))
    visual = VisionTransformer(224, 16, 768, layers=1, heads=12, mlp_ratio=4.0)
    generator = Generator().manual_seed(0)
    block = BlockExperts(visual.transformer.resblocks[0], config, generator)
    points = PointsTokenizer(visual, config.points, generator)
    assert 12 * _count(block) + _count(points) < PAPER_BUDGET - 2_400_000


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())

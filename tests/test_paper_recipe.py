"""What configs/unialign.yaml says of itself, computed anew."""

import re

from eval.published import rows
from pipeline.config import load_params
from tests.official_downloads import PAPER

ROWS = {
    "this file": "mlp", "the same in Table 3": "ViT-Lens-L and ULIP", "linear": "linear",
    "3D teacher only": "ULIP", "depth teacher only": "ViT-Lens-L", "baseline": "no teacher",
}  # fmt: skip
"""What tells a line of expected accuracy -> the published variant."""


def test_its_steps_are_those_of_its_samples() -> None:
    params = load_params(PAPER)
    train = params.train
    samples = sum(params.sources[name].expected("train") or 0 for name in train.sources)
    steps = train.epochs * round(samples / train.batch_size)  # as the trainer counts them
    assert f"{steps:,} steps of {train.batch_size}" in PAPER.read_text()


def test_its_expected_accuracy_is_the_published() -> None:
    lines = re.findall(r"^# +(\S.*?) {2,}(\d\d\.\d) {2,}(\d\d\.\d)$", PAPER.read_text(), re.M)
    told = {row: pair for row in ROWS for what, *pair in lines if row in what}
    published = {(row.variant, row.protocol): row.top1 for row in rows() if row.model == "student"}
    assert len(lines) == len(ROWS)
    assert {row: [float(score) for score in pair] for row, pair in told.items()} == {
        row: [published[variant, name] for name in ("sun-d", "modelnet40")]
        for row, variant in ROWS.items()
    }

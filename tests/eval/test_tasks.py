"""What a benchmark asks for by its data, and scores of models that know all or nothing."""

from pathlib import Path

import pytest
import torch

from eval.encode import EncodedSplit
from eval.protocol import Protocol
from eval.tasks import ZeroShotTask
from pipeline.errors import UserError
from pipeline.samples import SampleText
from pipeline.shards import ShardIndex

NAMES = [f"class {number}" for number in range(9)]


def task(
    labels: list[tuple[int, ...]],
    protocol: Protocol | None = None,
    folds: list[int | None] | None = None,
    captions: tuple[tuple[str, ...], ...] = (),
) -> ZeroShotTask:
    index = ShardIndex(
        format=2, dataset="mine", split="test", modality="image", classes=NAMES, captions=[],
        licence="", recipe={}, samples_per_shard=9, shards=[],
    )  # fmt: skip
    texts = [SampleText(each, said) for each, said in zip(labels, captions or [()] * len(labels))]
    by = "captions" if captions else "labels"
    data = EncodedSplit(Path("mine"), index, by, [], texts, folds or [None] * len(labels))
    return ZeroShotTask(data, protocol or Protocol(), ("a {}",))


def one_hot(texts: list[str]) -> torch.Tensor:
    return torch.eye(len(NAMES))[[int(text[-1]) for text in texts]]


def test_what_the_data_say_decides_the_metric() -> None:
    assert task([(1,), (2,)]).metric == "top1"
    assert task([(1,), (2, 3)]).metric == "map"
    assert task([(1,), (2,)], folds=[1, 2]).metric == "folds"
    assert task([(1,), (2,)], folds=[1, None]).metric == "top1"
    assert task([(), ()], captions=(("3",), ("4",))).metric == "retrieval"
    assert task([(1,), (2, 3)], Protocol(metric="top1")).metric == "top1"


def test_the_last_classes_can_be_one() -> None:
    nyu = task([(0,), (8,), (7,)], Protocol(others=3))
    scores = nyu.scores(torch.eye(9)[[0, 6, 5]], one_hot)
    assert nyu.classes == [*NAMES[:6], "others"]
    assert scores.predictions.tolist() == [0, 6, 5]
    assert scores.values["top1"] == pytest.approx(2 / 3)
    assert nyu.counts == [1, 0, 0, 0, 0, 0, 2]
    assert nyu.described()["chance"] == round(1 / 7, 4)


def test_many_labels_are_scored_by_average_precision() -> None:
    sounds = task([(0, 1), (2,), (1,)])
    features = torch.eye(9)[[0, 2, 1]] + torch.eye(9)[[1, 2, 1]]
    assert sounds.scores(features, one_hot).values == {"map": 1.0}
    assert sounds.described()["chance"] == round((1 / 3 + 2 / 3 + 1 / 3) / 3, 4)


def test_folds_are_what_is_compared_by() -> None:
    scores = task([(0,), (1,), (2,)], folds=[1, 1, 2]).scores(torch.eye(9)[[0, 5, 2]], one_hot)
    assert next(iter(scores.values)) == "folds"
    assert scores.values["folds"] == 0.75
    assert scores.values["top1"] == pytest.approx(2 / 3)
    with pytest.raises(UserError, match="1 samples have no `fold`"):
        task([(0,), (1,)], Protocol(metric="folds"), [1, None]).scores(torch.eye(9)[:2], one_hot)


def test_captions_are_found_and_find() -> None:
    clips = task([(), ()], captions=(("at 1", "at 2"), ("at 3",)))
    values = clips.scores(torch.eye(9)[[1, 3]], one_hot).values
    assert values["from_text_r1"] == pytest.approx(2 / 3, abs=0.2)
    assert values["to_text_r1"] == 1
    assert values["to_text_r5"] == values["from_text_r10"] == 1
    assert clips.described() == {"samples": 2, "unreadable": 0, "captions": 3, "chance": 0.5}


@pytest.mark.parametrize("captions", [(), (("one",), ("two",))])
def test_a_text_tower_that_gives_no_numbers_is_named(captions: tuple) -> None:
    asked = task([(0,), (1,)], captions=captions)
    with pytest.raises(UserError, match="the text tower gives features that are not finite for"):
        asked.scores(torch.ones(2, 4), lambda texts: torch.full((len(texts), 4), torch.nan))

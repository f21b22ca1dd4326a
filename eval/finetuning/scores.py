"""Top-1 of a fine-tuned classifier on the held-out split."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from rich.table import Table
from torch import Tensor

from eval.classification import classification_scores, majority_share
from eval.encode import Encoder, check_finite, encode_split
from eval.finetuning.classifier import Classifier
from eval.finetuning.plan import Plan
from pipeline.atomic import write_atomically
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.shards import ShardIndex
from stage2_train.student.inputs import stacked, student_input, tokenizer_input

METRICS = "metrics.json"
Metrics = dict[str, float | int | str]


def held_out_logits(params: Params, plan: Plan, classifier: Classifier) -> tuple[Tensor, Tensor]:
    """Float32 [samples, classes] of the held-out split on the CPU, and its labels int64 [samples].

    Raises:
        UserError: the split cannot be used, or a logit is not finite.
    """
    classifier.eval()
    config, device = classifier.student.config, classifier.texts.device

    def encode(inputs: Sequence[tuple[Tensor, ...]]) -> Tensor:
        parts = tuple(part.to(device) for part in stacked(inputs))
        return classifier.logits(tokenizer_input(parts))

    modality = params.sources[plan.source].modality
    prepare = partial(student_input, modality, config=config)
    data = encode_split(
        params, plan.source, plan.held_out, [Encoder("the classifier", prepare, encode)]
    )
    check_finite(data.features[0], f"{plan.source}/{plan.held_out}: the classifier")
    return data.features[0], data.labels


def metrics(plan: Plan, index: ShardIndex, logits: Tensor, labels: Tensor) -> Metrics:
    """Scalars for metrics.json: fractions of 1."""
    scores = classification_scores(logits, labels)
    return {
        "mode": plan.mode,
        "trained_on": f"{plan.source}/{plan.split}",
        "scored_on": f"{plan.source}/{plan.held_out}",
        "training_samples": index.samples,
        "samples": len(labels),
        "classes": len(index.classes),
        "chance": round(1 / len(index.classes), 4),
        "majority": round(majority_share(labels), 4),
        "top1": round(scores.top1, 4),
        "top5": round(scores.top5, 4),
    }


def same_classes(trained: ShardIndex, scored: ShardIndex) -> None:
    """Refuse a held-out split of other classes.

    Raises:
        UserError: the classes differ, or are in another order.
    """
    if trained.classes != scored.classes:
        raise UserError(
            f"{trained.dataset}: the splits {trained.split} and {scored.split} have other classes "
            f"({len(trained.classes)} and {len(scored.classes)}); name splits of the same"
        )


def write(out: Path, found: Metrics) -> Table:
    """Write metrics.json, and return it as a table."""
    write_atomically(out / METRICS, json.dumps(found, indent=1).encode() + b"\n")
    table = Table(title=f"{found['mode']} of {found['trained_on']}: {found['scored_on']} (%)")
    for name in ("samples", "classes", "chance", "majority", "top1", "top5"):
        table.add_column(name, justify="right")
    shares = [f"{100 * float(found[name]):.1f}" for name in ("chance", "majority", "top1", "top5")]
    table.add_row(f"{found['samples']:,}", str(found["classes"]), *shares)
    return table


def head_logits(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Float32 [samples, classes] of a probe."""
    return torch.addmm(bias, features, weight.T)

"""Adapters, or the whole encoder, trained on labels by stage 2's trainer."""

from dataclasses import replace
from functools import partial

import torch

from eval.finetuning.classifier import Classifier
from eval.finetuning.plan import Plan
from pipeline.commands import prepare_command
from pipeline.config import Params, TrainConfig
from pipeline.errors import UserError
from pipeline.locations import path_or_url
from pipeline.shards import INDEX, ShardIndex, read_index
from pipeline.weights import file_sha256
from stage2_train.stream.order import split_over_ranks
from stage2_train.stream.texts import build_text_table
from stage2_train.student import Student
from stage2_train.student.portable import TENSORS, read_card
from stage2_train.training.assembly import Assembly, use_gpu_blocks
from stage2_train.training.trainer import STUDENT, Trainer


def trainer_of(params: Params, plan: Plan) -> Trainer:
    """Stage 2's trainer over a classifier; it holds the finished one where it lies there already.

    Raises:
        UserError: no student, no shards, no labels, or the student does not have the modality.
    """
    config = read_card(plan.ckpt).config
    try:
        params = replace(params, student=config)
    except ValueError as error:
        raise UserError(
            f"{plan.ckpt}: trained on other views than these params': {error}"
        ) from None
    trainer = Trainer(params, partial(_assemble, plan))
    classifier_of(trainer).recipe = trainer.checkpoints.folder.name
    return trainer


def classifier_of(trainer: Trainer) -> Classifier:
    """What is trained."""
    classifier = trainer.objective
    assert isinstance(classifier, Classifier)
    return classifier


def finish(trainer: Trainer) -> bool:
    """Train to the end, unless that is done; False if a signal cut it short."""
    return classifier_of(trainer).restore(trainer.out / STUDENT) or trainer.run()


def labelled_index(params: Params, source: str, split: str) -> ShardIndex:
    """The index of a split whose samples have labels.

    Raises:
        UserError: it is not prepared, or has no classes.
    """
    folder = path_or_url(params.shards) / source / split
    index = read_index(folder)
    if len(index.classes) < 2:
        raise UserError(
            f"{folder / INDEX}: {len(index.classes)} classes, expected two at least; fine-tuning "
            f"needs labels: give sources.{source} some, and run: {prepare_command(source)}"
        )
    return index


def loaded_student(params: Params, plan: Plan, device: str | torch.device) -> Student:
    """The student that a fine-tuning starts from.

    Raises:
        UserError: it is damaged, or does not encode the source's modality.
    """
    student = Student.load(plan.ckpt, device=device)
    modality = params.sources[plan.source].modality
    if modality not in student.config.modalities:
        raise UserError(
            f"{plan.ckpt}: encodes {', '.join(student.config.modalities)}, and {plan.source} is "
            f"{modality}; take another student or source"
        )
    return student


def _assemble(plan: Plan, params: Params, device: torch.device, ranks: int) -> Assembly:
    index = labelled_index(params, plan.source, plan.split)
    config = _config(params, plan, index.samples)
    if config.batch_size < ranks:
        raise UserError(
            f"finetune.batch_size: {config.batch_size} samples for {ranks} ranks; start fewer"
        )
    student = loaded_student(params, plan, device)
    student.recompute = config.checkpoint_activations
    prompts = {plan.source: params.sources[plan.source].prompts}
    texts = build_text_table(student, {plan.source: index}, prompts)
    modality = params.sources[plan.source].modality
    assert plan.mode != "probe"
    classifier = Classifier(student, modality, plan.mode, index.classes, texts.features)
    if device.type == "cuda" and plan.mode == "adapters":
        use_gpu_blocks(student)
    return Assembly(
        config, {plan.source: index}, {plan.source: []},
        split_over_ranks({plan.source: config.batch_size}, ranks),
        student, texts, classifier.to(device), split=plan.split,
        settings={"student": file_sha256(plan.ckpt / TENSORS), "mode": plan.mode},
    )  # fmt: skip


def _config(params: Params, plan: Plan, samples: int) -> TrainConfig:
    """Stage 2's settings with those of the fine-tuning in their place."""
    own = params.finetune
    batch_size = min(own.batch_size, samples)
    steps = own.epochs * max(1, round(samples / batch_size))
    return replace(
        params.train,
        score_every=None,
        out=str(plan.out),
        teachers=(),
        sources={plan.source: 1.0},
        epochs=own.epochs,
        batch_size=batch_size,
        accumulate=1,
        peak_lr=own.full_peak_lr if plan.mode == "full" else own.peak_lr,
        warmup_steps=max(1, steps // 10),
        compile=False,
    )

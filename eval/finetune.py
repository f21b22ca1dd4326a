"""Supervised fine-tuning of a trained student on a source's labels, scored on its held-out split.

    python -m eval.finetune --ckpt runs/demo/student --source renders --mode probe
    python -m eval.finetune --ckpt runs/unialign/student --source ucf101 --mode adapters
    torchrun --nproc-per-node N -m eval.finetune --ckpt ... --source ucf101 --mode full --epochs 20

`probe` fits a linear head on the frozen student's features, encoded once; `adapters` trains the
head with what stage 2 trains of that modality (tokenizer, experts), `full` the whole encoder; both
start from the zero-shot classifier and train as stage 2 does: a run that is stopped goes on to the
bit when it is run again. Settings: `finetune` in the params file. Writes to
<train.out>/finetune/SOURCE-MODE/: metrics.json, and classifier.safetensors with its card (beside
the portable student in student/, of a probe right there).
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from eval.finetuning.plan import MODES, Plan, plan
from pipeline.config import Params, load_params
from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import importing, keeping

if TYPE_CHECKING:
    from eval.finetuning.scores import Metrics


def main() -> None:
    """Command line."""
    arguments = _arguments()
    params = load_params(arguments.params)
    planned = plan(
        params, arguments.ckpt, arguments.source, arguments.mode, arguments.split,
        arguments.held_out,
    )  # fmt: skip
    if arguments.epochs is not None:
        params = _with_epochs(params, arguments.epochs)
    found = _probe(params, planned) if planned.mode == "probe" else _train(params, planned)
    if found is not None:
        from rich.console import Console

        from eval.finetuning.scores import write

        Console(width=100).print(write(planned.out, found))


def _with_epochs(params: Params, epochs: int) -> Params:
    try:
        return replace(params, finetune=replace(params.finetune, epochs=epochs))
    except ValueError as error:
        raise UserError(f"--epochs: {error}") from None


def _train(params: Params, planned: Plan) -> "Metrics | None":
    """Of the first rank, what the trained classifier scores."""
    with importing():
        from eval.finetuning.scores import held_out_logits, metrics, same_classes
        from eval.finetuning.training import classifier_of, finish, labelled_index, trainer_of
        from pipeline.allocator import keep_freed_memory
        from stage2_train.training.cores import spare_cores
        from stage2_train.training.ranks import process_group
        from stage2_train.training.watchdog import START

    keep_freed_memory()
    spare_cores(params.train.loader_workers)
    index = labelled_index(params, planned.source, planned.split)
    same_classes(index, labelled_index(params, planned.source, planned.held_out))
    with process_group(max(START, params.train.step_timeout)) as ranks:
        trainer = trainer_of(params, planned)
        finished = finish(trainer)
    if not finished:
        trainer.stop.leave(first=ranks.first)
    if not ranks.first:
        return None
    with keeping(f"the finished classifier is kept in {planned.out}"):
        logits, labels = held_out_logits(params, planned, classifier_of(trainer))
        return metrics(planned, index, logits, labels)


def _probe(params: Params, planned: Plan) -> "Metrics":
    with importing():
        from eval.finetuning.probe import cached_features, fitted
        from eval.finetuning.saved import Card
        from eval.finetuning.saved import write as save
        from eval.finetuning.scores import head_logits, metrics, same_classes
        from eval.finetuning.training import labelled_index, loaded_student
        from pipeline.device import default_device
        from pipeline.identity import fingerprint
        from pipeline.weights import file_sha256
        from stage2_train.student.portable import TENSORS

    splits = (planned.split, planned.held_out)
    index, held_out = (labelled_index(params, planned.source, split) for split in splits)
    same_classes(index, held_out)
    student = loaded_student(params, planned, default_device())
    sha256 = file_sha256(planned.ckpt / TENSORS)
    with keeping(f"encoded splits are kept in {planned.out}"):
        features, labels = cached_features(params, student, index, sha256, planned.out)
        weight, bias = fitted(features, labels, len(index.classes))
        recipe = fingerprint([sha256, [shard.xxh3 for shard in index.shards]], 6)
        card = Card(recipe=recipe, mode="probe", classes=index.classes)
        save(planned.out, {"head.weight": weight, "head.bias": bias}, card)
        features, labels = cached_features(params, student, held_out, sha256, planned.out)
    return metrics(planned, index, head_logits(features, weight, bias), labels)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval.finetune",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ckpt", required=True, type=Path, help="folder of a portable student")
    parser.add_argument("--source", required=True, help="name under `sources`")
    parser.add_argument("--mode", required=True, choices=MODES, help="what is trained")
    parser.add_argument("--epochs", type=int, help="default: finetune.epochs")
    parser.add_argument("--split", help="to train on; default: the first named train...")
    parser.add_argument("--held-out", help="to score; default: the first of another name")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    exit_on_user_error(main)

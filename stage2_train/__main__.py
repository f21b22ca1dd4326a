"""Stage 2: train the student on shards beside the cached targets.

    python -m stage2_train                          with params.yaml, on one device
    python -m stage2_train --params FILE            with another recipe
    python -m stage2_train --summary                print the trainable parameters and stop
    torchrun --nproc-per-node N -m stage2_train     on N devices; the same data order and losses

Writes <train.out>/: checkpoints/ while it trains, log.jsonl, curves.json, curves.png and
tensorboard/, and at the end student/, the portable student; with `train.score_every` also best/,
the one of the best held-out scores. Running it again resumes from the latest checkpoint of the same
recipe, on any number of devices; SIGTERM and Ctrl-C save one first. Another recipe's log and
checkpoints there are kept. `--summary` needs neither data nor weights.
"""

import argparse
import sys

from pipeline.config import Params, load_params
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m stage2_train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    parser.add_argument("--summary", action="store_true", help="trainable parameters by part")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    if arguments.summary:
        with importing():
            from stage2_train.student.parameter_summary import planned_summary

        print(planned_summary(params))
    else:
        train(params)


def train(params: Params) -> None:
    """Train on the ranks that torchrun started, or on one."""
    with importing():
        from pipeline.allocator import keep_freed_memory
        from pipeline.config.little_data import unworkable
        from stage2_train.student.parameter_summary import summarise
        from stage2_train.training.cores import spare_cores
        from stage2_train.training.ranks import process_group
        from stage2_train.training.trainer import STUDENT, Trainer
        from stage2_train.training.watchdog import START

    keep_freed_memory()
    spare_cores(params.train.loader_workers)
    with process_group(max(START, params.train.step_timeout)) as ranks:
        trainer = Trainer(params)
        if ranks.first:
            print(summarise(trainer.student, trainer.objective.projectors))
            counts = {source: index.samples for source, index in trainer.assembly.indexes.items()}
            for warning in unworkable(params.train, counts, trainer.total_steps):
                print(warning, file=sys.stderr)
        finished = trainer.run()
    if not finished:
        trainer.stop.leave(first=ranks.first)
    if ranks.first:
        print(f"{trainer.out / STUDENT}: the trained student, after {trainer.total_steps} steps")


if __name__ == "__main__":
    exit_on_user_error(main)

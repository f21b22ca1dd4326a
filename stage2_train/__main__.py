"""Stage 2: train the student on shards beside the cached targets.

    python -m stage2_train                          with params.yaml
    python -m stage2_train --params FILE            with another recipe
    python -m stage2_train --summary                print the trainable parameters and stop

Writes <train.out>/: checkpoints/ while it trains, log.jsonl, curves.json and tensorboard/, and at
the end student/, the portable student. Running it again resumes from the latest checkpoint of the
same recipe; SIGTERM saves one first.
"""

import argparse
import sys

from pipeline.config import load_params
from pipeline.errors import exit_on_user_error
from stage2_train.allocator import keep_freed_memory
from stage2_train.parameter_summary import summarise
from stage2_train.trainer import STUDENT, Trainer


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
    keep_freed_memory()
    trainer = Trainer(load_params(arguments.params))
    print(summarise(trainer.student, trainer.objective.projectors))
    if arguments.summary:
        return
    if not trainer.run():
        print("stopped by SIGTERM after saving; run the same command to go on")
        sys.exit(143)
    print(f"{trainer.out / STUDENT}: the trained student, after {trainer.total_steps} steps")


if __name__ == "__main__":
    exit_on_user_error(main)

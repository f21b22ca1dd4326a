"""What a cached teacher is worth: the same training with and without it, over several seeds.

    python -m eval.ablate --without ulip-objects --benchmark points --seeds 0 1 2

Trains both variants for every seed under <train.out>/../ablate/RECIPE/, scores them zero-shot,
prints mean and spread, and writes ablate.json there. When it is run again, finished trainings are
not repeated and one that was cut short is resumed. RECIPE is a fingerprint of the settings, data
and targets: another recipe's runs lie beside.
"""

import argparse
import json

from rich.console import Console

from pipeline.argument_types import whole_number
from pipeline.config import Params, load_params
from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import importing, keeping


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.ablate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--without", nargs="+", required=True, help="names in train.teachers to leave out"
    )
    parser.add_argument("--benchmark", required=True, help="name under `benchmarks`")
    parser.add_argument(
        "--seeds", nargs="+", type=whole_number, default=[0, 1, 2], help="train.seed values"
    )
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    kept = without(params, arguments.without)
    if arguments.benchmark not in params.benchmarks:
        raise UserError(
            f"--benchmark {arguments.benchmark}: expected one of {', '.join(params.benchmarks)}"
        )
    with importing():
        from eval.ablation import ablation_table, recipe_folder, run_name, trained_score
        from pipeline.allocator import keep_freed_memory
        from pipeline.atomic import write_atomically
        from stage2_train.training.cores import spare_cores

    keep_freed_memory()
    spare_cores(params.train.loader_workers)
    folder = recipe_folder(params)
    variants = {"with": params.train.teachers, f"without {', '.join(arguments.without)}": kept}
    with keeping(f"finished trainings and scores are kept in {folder}"):
        scores = {
            name: [
                trained_score(
                    params, folder / run_name(name, seed), teachers, seed, arguments.benchmark
                )
                for seed in arguments.seeds
            ]
            for name, teachers in variants.items()
        }
    report = {"benchmark": arguments.benchmark, "seeds": arguments.seeds, "top1": scores}
    write_atomically(folder / "ablate.json", json.dumps(report, indent=1).encode() + b"\n")
    Console(width=100).print(ablation_table(arguments.benchmark, scores))


def without(params: Params, names: list[str]) -> tuple[str, ...]:
    """`train.teachers` less some.

    Raises:
        UserError: a name that is not among them.
    """
    for name in names:
        if name not in params.train.teachers:
            raise UserError(
                f"--without {name}: train.teachers holds {', '.join(params.train.teachers)}"
            )
    return tuple(name for name in params.train.teachers if name not in names)


if __name__ == "__main__":
    exit_on_user_error(main)

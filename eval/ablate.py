"""What a cached teacher is worth: the same training with and without it.

    python -m eval.ablate --without ulip-objects --benchmark points --seeds 0 1 2
    python -m eval.ablate --table 3 --workers 2    the supplement's Table 3 with error bars
    python -m eval.ablate --table 2 --workers 2    and its Table 2; both share most of the work

--without trains both variants for every seed under <train.out>/../ablate/RECIPE/, scores them
zero-shot, prints mean and spread, and writes ablate.json there. When it is run again, finished
trainings are not repeated and one that was cut short is resumed. RECIPE is a fingerprint of the
settings, data and targets: another recipe's runs lie beside.

--table cross-validates over all labelled objects of the embedded pack, in five folds. For each,
nano teachers are trained anew on its train objects under <train.out>/../ablate/folds-RECIPE/, then
a student for each row; all of it takes an hour and three quarters on two cores. What a fold
prints goes to its log.txt. Writes results/tableN.md, .json and .png: scores with 95 % intervals, a
paired test and the paper's numbers. When it is run again, finished parts are kept; a teacher that
was cut short is trained from its start, a student from its last checkpoint.
"""

import argparse
import json
from pathlib import Path

from rich.console import Console

from pipeline.argument_types import count, whole_number
from pipeline.config import Params, load_params
from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import importing, keeping

RESULTS = Path("results")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.ablate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--without", nargs="+", help="names in train.teachers to leave out")
    what.add_argument("--table", type=int, choices=(2, 3), help="of the supplement")
    parser.add_argument("--benchmark", help="name under `benchmarks`, to score --without on")
    parser.add_argument(
        "--seeds", nargs="+", type=whole_number, default=[0, 1, 2],
        help="train.seed values of --without",
    )  # fmt: skip
    parser.add_argument("--workers", type=count, default=1, help="processes of --table; default: 1")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    if arguments.table:
        make_table(params, arguments.table, arguments.workers)
    else:
        leave_out(params, arguments.without, arguments.benchmark, arguments.seeds)


def make_table(params: Params, table: int, workers: int) -> None:
    """Cross-validate the rows of a table of the supplement."""
    with importing():
        from demo.ablation import results
        from demo.ablation.run import cross_validate, folds_folder
        from demo.ablation.settings import Budget

    budget = Budget()
    with keeping(f"finished parts are kept in {folds_folder(params, budget)}"):
        findings = cross_validate(params, table, budget, workers)
    result = results.table_result(table, findings, budget)
    results.write(RESULTS, result)
    print(results.markdown(result), end="")


def leave_out(params: Params, names: list[str], benchmark: str | None, seeds: list[int]) -> None:
    """Train with and without some of the run's teachers for every seed."""
    kept = without(params, names)
    known = ", ".join(params.benchmarks)
    if benchmark is None:
        raise UserError(f"--without needs --benchmark, one of {known}")
    if benchmark not in params.benchmarks:
        raise UserError(f"--benchmark {benchmark}: expected one of {known}")
    with importing():
        from eval.ablation import ablation_table, recipe_folder, run_name, trained_score
        from pipeline.allocator import keep_freed_memory
        from pipeline.atomic import write_atomically
        from stage2_train.training.cores import spare_cores

    keep_freed_memory()
    spare_cores(params.train.loader_workers)
    folder = recipe_folder(params)
    variants = {"with": params.train.teachers, f"without {', '.join(names)}": kept}
    with keeping(f"finished trainings and scores are kept in {folder}"):
        scores = {
            name: [
                trained_score(params, folder / run_name(name, seed), teachers, seed, benchmark)
                for seed in seeds
            ]
            for name, teachers in variants.items()
        }
    report = {"benchmark": benchmark, "seeds": seeds, "top1": scores}
    write_atomically(folder / "ablate.json", json.dumps(report, indent=1).encode() + b"\n")
    Console(width=100).print(ablation_table(benchmark, scores))


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

"""What a recipe needs, and whether it is on this machine: there, missing or wrong.

    python -m pipeline.doctor                                   of params.yaml
    python -m pipeline.doctor --params configs/unialign.yaml    of the paper's recipe

Looks at the recipe itself, the raw folder of every source (listed by its converter, no medium
opened), shards, stores, teachers' weights, tools and disks. What is missing is told with where to
get it, its size and licence; what is wrong with what was found and the layout expected. `to make`
is what the stages have still to make. Exit code 1 where anything is missing or wrong.
"""

import argparse
import sys

from rich.console import Console

from pipeline.config import load_params
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.doctor",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    parser.add_argument("--deep", action="store_true", help="hash the teachers' weights too")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    with importing():
        from pipeline.doctor.datasets import datasets
        from pipeline.doctor.finding import FAULTS, summary, tables
        from pipeline.doctor.machine import machine
        from pipeline.doctor.made import shards, stores
        from pipeline.doctor.recipe import recipe
        from pipeline.doctor.space import space
        from pipeline.doctor.teachers import teachers

    findings = [
        *recipe(params),
        *datasets(params),
        *shards(params),
        *stores(params),
        *teachers(params, deep=arguments.deep),
        *machine(params),
        *space(params),
    ]
    for table in tables(findings):
        Console(width=100).print(table)
    print(summary(findings))
    if any(each.state in FAULTS for each in findings):
        sys.exit(1)


if __name__ == "__main__":
    exit_on_user_error(main)

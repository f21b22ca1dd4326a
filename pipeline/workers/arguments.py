"""The arguments of a command that dask workers may share the work of."""

import argparse

from pipeline.argument_types import count


def add_worker_arguments(parser: argparse.ArgumentParser) -> None:
    """`--workers N` or `--scheduler ADDRESS`; by default neither."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=count, help="processes; default: this one alone")
    where.add_argument("--scheduler", metavar="ADDRESS", help="of a dask cluster")

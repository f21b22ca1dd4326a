"""The arguments of a command that dask workers may share the work of."""

import argparse


def add_worker_arguments(parser: argparse.ArgumentParser) -> None:
    """`--workers N` or `--scheduler ADDRESS`; by default neither."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=_count, help="processes; default: this one alone")
    where.add_argument("--scheduler", metavar="ADDRESS", help="of a dask cluster")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {text}")
    return int(text)

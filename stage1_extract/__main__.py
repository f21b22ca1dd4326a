"""Stage 1: run a frozen teacher once over the seeded views and fill its feature stores.

    python -m stage1_extract --teacher ulip                     every source it is paired with
    python -m stage1_extract --teacher clip --source renders    one of them
    python -m stage1_extract --list                             the teachers there are

Pairs of teacher and source stand under `extract` in the params file. An interrupted run is
resumed by running it again: finished tars are kept, a changed recipe goes to a store of its own.
"""

import argparse

from rich.console import Console
from rich.table import Table

from pipeline.config import load_params
from pipeline.errors import UserError, exit_on_user_error
from stage1_extract.extraction import Extraction
from stage1_extract.pairs import select_extractions, teacher_of
from stage1_extract.progress import ExtractionProgress
from stage1_extract.teachers import cards


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m stage1_extract",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--teacher", help="name under `teachers`")
    parser.add_argument("--source", nargs="+", help="names under `sources`; default: all paired")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    parser.add_argument("--list", action="store_true", help="every teacher there is, and stop")
    arguments = parser.parse_args()
    if arguments.list:
        Console().print(teacher_table())
        return
    if arguments.teacher is None:
        raise UserError("name a teacher with --teacher, or see them all with --list")
    params = load_params(arguments.params)
    names = select_extractions(params, arguments.teacher, arguments.source)
    for name in names:
        teacher = teacher_of(params, arguments.teacher, params.extract[name].source)
        extraction = Extraction(params, name, teacher)
        if extraction.writer.set_aside:
            print(f"another recipe's store was kept as {extraction.writer.set_aside}")
        with ExtractionProgress(name) as progress:
            failed = extraction.run(progress)
        print(progress.summary() + (f", {len(failed)} failed: {failed[:5]}" if failed else ""))


def teacher_table() -> Table:
    """Every teacher with what it reads and gives, where its weights are, and their licence."""
    table = Table(show_lines=True)
    columns = ("name", "arch", "modality", "dim", "text_space", "weights", "licence", "source")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for card in cards():
        values = {column: getattr(card, column) for column in columns}
        values |= {"dim": card.dim or "its own", "text_space": card.text_space or "-"}
        table.add_row(*(str(values[column]) for column in columns))
    return table


if __name__ == "__main__":
    exit_on_user_error(main)

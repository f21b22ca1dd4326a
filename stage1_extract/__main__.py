"""Stage 1: run frozen teachers once over the seeded views and fill their feature stores.

    python -m stage1_extract --teacher ulip                       every source it is paired with
    python -m stage1_extract --teacher clip ulip --source objects decode once for both
    python -m stage1_extract --teacher clip --workers 4           processes, each on its own GPU
    python -m stage1_extract --teacher clip --scheduler tcp://HOST:8786   a dask cluster (configs/)
    python -m stage1_extract --list                               the teachers there are

Pairs of teacher and source stand under `extract` in the params file. An interrupted run is
resumed by running it again: finished tars are kept, a changed recipe goes to a store of its own.
However many workers, the stores are the same to the last byte. `python -m stage1_extract.plan`
says beforehand what it takes.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from pipeline.config import Params, load_params
from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import importing, keeping
from pipeline.workers.arguments import add_worker_arguments
from stage1_extract.pairs import select_extractions

if TYPE_CHECKING:
    from stage1_extract.client import Teachers


def main() -> None:
    """Command line."""
    arguments = _arguments()
    if arguments.list:
        Console().print(teacher_table())
        return
    if arguments.teacher is None:
        raise UserError("name a teacher with --teacher, or see them all with --list")
    params = load_params(arguments.params)
    names = select_extractions(params, arguments.teacher, arguments.source)
    with importing():
        from stage1_extract.client import extract
        from stage1_extract.progress import ExtractionProgress

    title = ", ".join(names)
    with (
        keeping("finished tars are kept"),
        _teachers(params, names, arguments.workers, arguments.scheduler) as teachers,
        ExtractionProgress(title) as progress,
    ):
        extract(params, names, teachers, progress)
    print(progress.summary())


def teacher_table() -> Table:
    """Every teacher with what it reads and gives, where its weights are, and their licence."""
    with importing():
        from stage1_extract.teachers import cards

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for card in cards():
        table.add_row(f"[bold]{card.name}", f"[bold]{card.arch}")
        table.add_row("  modality", card.modality)
        table.add_row("  dim", str(card.dim or "its own"))
        table.add_row("  text space", card.text_space or "none")
        table.add_row("  weights", card.weights)
        table.add_row("  licence", card.licence)
        table.add_row("  source", card.source)
        table.add_row()
    return table


@contextmanager
def _teachers(
    params: Params, names: Sequence[str], workers: int | None, scheduler: str | None
) -> Iterator["Teachers"]:
    """The teachers in this process, in workers that are started here, or in those of a cluster."""
    if workers is None and scheduler is None:
        with importing():
            from stage1_extract.extractor import Extractor
            from stage1_extract.shared_views import workers_for

        with closing(Extractor(params, workers_for(params, names))) as extractor:
            yield extractor
        return
    # Dask takes seconds to import, and a run in this process has no use for it
    with importing():
        from pipeline.workers.connection import connected_client, local_client
        from stage1_extract.cluster import Cluster

    connected = connected_client(scheduler) if scheduler else local_client(workers or 1)
    with connected as client:
        yield Cluster(client, params)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m stage1_extract",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--teacher", nargs="+", help="names under `teachers`")
    parser.add_argument("--source", nargs="+", help="names under `sources`; default: all paired")
    add_worker_arguments(parser)
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    parser.add_argument("--list", action="store_true", help="every teacher there is, and stop")
    return parser.parse_args()


if __name__ == "__main__":
    exit_on_user_error(main)

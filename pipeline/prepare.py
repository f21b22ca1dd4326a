"""Turn a dataset's official layout into WebDataset shards.

    python -m pipeline.prepare --source NAME                     in this process
    python -m pipeline.prepare --source NAME --workers 8         processes on this machine
    python -m pipeline.prepare --source NAME --scheduler tcp://HOST:8786   a dask cluster (configs/)

Writes <shards>/<source>/<split>/ with tars, index.json and rejected.jsonl. Samples are shuffled
once by the run seed and dealt to the tars; however many workers, the tars are the same to the last
byte. An interrupted run is resumed by running it again: finished tars are kept. An unreadable
sample is never lost silently: it goes to rejected.jsonl with the reason and leaves its tar short,
and more than `max_rejected` of them stop the conversion.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import Params, load_params
from pipeline.errors import exit_on_user_error
from pipeline.interruption import keeping
from pipeline.unknown_name import unknown_name
from pipeline.workers.arguments import add_worker_arguments

if TYPE_CHECKING:
    from pipeline.preparation.executors import Executor


def main() -> None:
    """Command line."""
    arguments = _arguments()
    params = load_params(arguments.params)
    if arguments.source not in params.sources:
        raise unknown_name("source", arguments.source, params.sources)
    # It takes seconds to import, which a wrong argument need not wait for
    from pipeline.preparation import prepare

    source = params.sources[arguments.source]
    raw = Path(arguments.raw or source.raw)
    with (
        keeping("finished tars are kept"),
        _executor(params, arguments.workers, arguments.scheduler) as executor,
    ):
        for split in source.splits:
            prepare(params, arguments.source, split, raw, executor)


@contextmanager
def _executor(params: Params, workers: int | None, scheduler: str | None) -> Iterator["Executor"]:
    """This process, workers that are started here, or those of a cluster."""
    from pipeline.preparation.executors import in_this_process, in_workers

    if workers is None and scheduler is None:
        yield in_this_process
        return
    from pipeline.workers.connection import connected_client, local_client
    from pipeline.workers.job import Job
    from pipeline.workers.pool import WorkerPool

    connected = connected_client(scheduler) if scheduler else local_client(workers or 1)
    with connected as client:
        yield partial(in_workers, WorkerPool(client, Job(params)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.prepare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--source", required=True, help="name under `sources` in the params file")
    parser.add_argument("--raw", help="folder of the raw download, instead of the params file's")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    add_worker_arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    exit_on_user_error(main)

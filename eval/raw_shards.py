"""A benchmark straight from its download: converted once, by what prepares every source."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.identity import fingerprint
from pipeline.preparation import prepare, read_raw
from pipeline.preparation.identity import identity
from pipeline.shards import INDEX


@contextmanager
def over_raw(params: Params, name: str, raw: Path | None, run: Path) -> Iterator[Params]:
    """Params over shards of a benchmark's split made from `raw`, below the folder of a run.

    A finished conversion is kept and an interrupted one resumed; where the recipe or the listing of
    the raw files is another, it is made anew beside it. Without `raw` the params as they are.

    Raises:
        UserError: as `pipeline.prepare`; of what is wrong with these shards it says how to mend it.
    """
    if raw is None:
        yield params
        return
    benchmark = params.benchmarks[name]
    dataset = read_raw(params.sources[benchmark.source], raw, benchmark.split)
    known = [str(raw.resolve()), identity(params, benchmark.source, dataset, raw)]
    local = replace(params, shards=str(run / "raw" / fingerprint(known, 6)))
    folder = Path(local.shards) / benchmark.source / benchmark.split
    if not (folder / INDEX).exists():
        prepare(local, benchmark.source, benchmark.split, raw)
    try:
        yield local
    except UserError as error:
        if str(folder) not in str(error):
            raise
        raise UserError(f"{error}, or here: delete {folder} and run the same again") from None

"""Two extraction workers over one, on a teacher that computes more than it decodes.

    python -m benchmarks.workers

The nano ULIP over 8 tars of 32 objects of the embedded pack, torch with one thread in each
worker. Every run extracts all tars with models that are loaded already. Prints samples/s of one
and of two workers, and their ratio; the machine must have two cores and nothing else to do. Then
four workers extract too, and all stores are compared byte by byte.
"""

import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from pipeline.config import Params, load_params
from pipeline.errors import exit_on_user_error
from pipeline.prepare import prepare
from pipeline.shards import read_index, write_index
from stage1_extract.client import extract
from stage1_extract.cluster import Cluster
from stage1_extract.connection import local_client
from stage1_extract.progress import ExtractionProgress

SOURCE, EXTRACTION = "objects", "ulip-objects"
TARS, SAMPLES = 8, 32
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> None:
    """Measure, and print."""
    os.environ.update(ONE_THREAD)  # the workers' too: it goes before what their nanny would set
    with tempfile.TemporaryDirectory() as folder:
        params = prepared(Path(folder))
        one, first = rate(params, 1)
        two, second = rate(params, 2)
        _, third = rate(params, 4)
    print(f"one worker  {one:8.1f} samples/s (K = {params.views.count} views each)")
    print(f"two workers {two:8.1f} samples/s")
    print(f"ratio       {two / one:8.3f}   (to reach: 1.8)")
    equal = first == second == third
    print(f"stores of 1, 2 and 4 workers, {len(first)} files: {'equal' if equal else 'DIFFERENT'}")


def prepared(folder: Path) -> Params:
    """The demo's params over a few tars of its objects."""
    params = load_params()
    source = replace(params.sources[SOURCE], samples_per_shard=SAMPLES)
    params = replace(
        params,
        shards=str(folder / "shards"),
        cache=str(folder / "cache"),
        sources={**params.sources, SOURCE: source},
    )
    prepare(params, SOURCE, "train", Path(source.raw))
    shards = folder / "shards" / SOURCE / "train"
    index = read_index(shards)
    write_index(shards, replace(index, shards=index.shards[:TARS]))
    return params


def rate(params: Params, workers: int) -> tuple[float, dict[str, bytes]]:
    """Samples per second of a second run and the files it wrote; the first loads the models."""
    params = replace(params, cache=f"{params.cache}-{workers}")
    with local_client(workers) as client:
        cluster = Cluster(client, params)
        for _ in range(2):
            for marker in Path(params.cache).rglob("markers/*"):
                marker.unlink()
            with ExtractionProgress(f"{workers} workers") as progress:
                started = time.perf_counter()
                extract(params, [EXTRACTION], cluster, progress)
                seconds = time.perf_counter() - started
    cache = Path(params.cache)
    files = (file for file in sorted(cache.rglob("*")) if file.is_file())
    return TARS * SAMPLES / seconds, {str(f.relative_to(cache)): f.read_bytes() for f in files}


if __name__ == "__main__":
    exit_on_user_error(main)

"""A store that is broken in every way, and mended: what `benchmarks.drill` does."""

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path

from benchmarks.worker_rates import prepared
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.shards import read_index
from pipeline.store import FeatureStore, Plane
from pipeline.workers.connection import local_client
from stage1_extract.client import extract
from stage1_extract.cluster import Cluster
from stage1_extract.extraction import shard_folder, store_folder
from stage1_extract.extractor import Extractor
from stage1_extract.progress import ExtractionProgress

EXTRACTION = "clip-objects"
SPAWN = multiprocessing.get_context("forkserver")


def drill(kills: int, flips: int, seed: int) -> None:
    """All four drills, a line each."""
    SPAWN.set_forkserver_preload(["stage1_extract.extractor", "stage1_extract.cluster"])
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        store = Drill(prepared(Path(place), 8), Path(place))
        print(f"uninterrupted: {store.seconds:.1f} s, {len(store.expected)} files")
        for said in (
            store.kill(kills, rng),
            store.flip(flips, rng),
            store.kill_worker(),
            store.fill_disk(),
        ):
            print(said, flush=True)


class Drill:
    """A reference store, and the ways to break others."""

    def __init__(self, params: Params, place: Path) -> None:
        self.place = place
        self.params = replace(params, cache=str(place / "reference"))
        _run(self.params)  # once for the page cache
        shutil.rmtree(self.params.cache)
        started = time.monotonic()
        _run(self.params)
        self.seconds = time.monotonic() - started
        self.expected = tree(Path(self.params.cache))
        self.index = read_index(shard_folder(params, EXTRACTION))
        self.values = self.read(self.params)

    def kill(self, times: int, rng: random.Random) -> str:
        """SIGKILL at random moments; what is there in between must be right."""
        params = replace(self.params, cache=str(self.place / "killed"))
        kills, whole, kept = 0, 0, 0
        while kills < times:
            loaded = SPAWN.Event()
            process = SPAWN.Process(target=_run, args=(params, loaded))
            process.start()
            loaded.wait()
            process.join(rng.uniform(0, self.seconds))
            if process.is_alive():
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
                process.join()
                kills += 1
                kept += self.check(params)
            else:
                whole += self.finish(params)
        whole += self.finish(params)
        return (
            f"{kills} kills: {kept} finished tars seen in between, none wrong; {whole} times "
            "completed to the bytes of an uninterrupted run"
        )

    def finish(self, params: Params) -> int:
        """Complete a store, compare its bytes, and delete it."""
        _run(params)
        found = tree(Path(params.cache))
        different = {
            n for n in found.keys() | self.expected if found.get(n) != self.expected.get(n)
        }
        assert not different, f"other bytes after resuming: {sorted(different)[:5]}"
        shutil.rmtree(params.cache)
        return 1

    def check(self, params: Params) -> int:
        """Read what a killed run left; return how many tars are whole."""
        try:
            store = FeatureStore(store_folder(params, EXTRACTION), self.index)
        except UserError:
            return 0
        return sum(self._whole(store, shard) for shard in range(len(self.index.shards)))

    def flip(self, times: int, rng: random.Random) -> str:
        """Flip single bits, by bytes and by files in turn."""
        params = replace(self.params, cache=str(self.place / "flipped"))
        shutil.copytree(self.params.cache, params.cache)
        files = sorted(path for path in Path(params.cache).rglob("*") if path.is_file())
        sizes = [path.stat().st_size for path in files]
        outcomes: Counter[str] = Counter()
        for turn in range(times):
            file = rng.choices(files, sizes)[0] if turn % 2 else rng.choice(files)
            good = file.read_bytes()
            bad = bytearray(good)
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
            file.write_bytes(bad)
            try:
                assert self.read(params) == self.values, f"{file}: a wrong value was read"
                outcomes["changed nothing that is read"] += 1
            except UserError as error:
                named = "run: python -m" in str(error)
                outcomes["refused" if named else "refused without a way out"] += 1
            file.write_bytes(good)
        return f"{times} flipped bits: " + ", ".join(f"{n} {what}" for what, n in outcomes.items())

    def kill_worker(self) -> str:
        """SIGKILL one of two dask workers after the first tar."""
        params = replace(self.params, cache=str(self.place / "workers"))
        with local_client(2) as client, ExtractionProgress("two workers") as progress:
            victim = list(client.run(os.getpid).values())[0]
            markers = store_folder(params, EXTRACTION) / "markers"

            def strike() -> None:
                while not any(markers.glob("*.json")):
                    time.sleep(0.01)
                os.kill(victim, signal.SIGKILL)

            striker = threading.Thread(target=strike)
            striker.start()
            extract(params, [EXTRACTION], Cluster(client, params), progress)
            striker.join()
        assert tree(Path(params.cache)) == self.expected
        return "a dask worker killed: the run completed, bytes equal"

    def fill_disk(self) -> str:
        """Extract into a tmpfs of two thirds of the room, then make room and resume."""
        disk = self.place / "disk"
        disk.mkdir()
        size = sum(map(len, self.expected.values())) * 2 // 3
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
        if subprocess.run(mount, check=False).returncode:
            return "a full disk: not tried, a tmpfs could not be mounted (needs root)"
        params = replace(self.params, cache=str(disk / "cache"))
        try:
            said = _refusal(lambda: _run(params))
            kept = self.check(params)
            subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
            self.finish(params)
        finally:
            subprocess.run(["umount", str(disk)], check=True)
        return f"a full disk: '{said}'; {kept} tars kept, resumed to equal bytes"

    def read(self, params: Params) -> list[bytes]:
        """Everything that can be read of a store."""
        store = FeatureStore(store_folder(params, EXTRACTION), self.index)
        text = store.text_features()
        values = [b"" if text is None else text.tobytes()]
        for shard in range(len(self.index.shards)):
            for view in range(store.views):
                values += plane_bytes(store.read(shard, view))
            values.append(store.key_hash(shard).tobytes())
        return values

    def _whole(self, store: FeatureStore, shard: int) -> bool:
        """Whether a tar can be read; if so it must be the reference's."""
        reference = FeatureStore(store_folder(self.params, EXTRACTION), self.index)
        for view in range(reference.views):
            try:
                found = store.read(shard, view)
                store.key_hash(shard)
            except UserError:
                return False
            assert plane_bytes(found) == plane_bytes(reference.read(shard, view)), "a wrong value"
        return True


def _run(params: Params, loaded: Event | None = None) -> None:
    """Extract in this process what is lacking; say when the teacher is there."""
    extractor = Extractor(params)
    extractor.provenance(EXTRACTION)
    if loaded:
        loaded.set()
    with ExtractionProgress(EXTRACTION) as progress:
        extract(params, [EXTRACTION], extractor, progress)


def _refusal(run: Callable[[], None]) -> str:
    try:
        run()
    except UserError as error:
        return str(error)
    raise AssertionError("the disk was not full")


def plane_bytes(plane: Plane) -> list[bytes]:
    """All arrays of a plane."""
    return [plane.features.tobytes(), plane.digests.tobytes()]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its content."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

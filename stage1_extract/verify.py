"""Prove that the stores of a teacher are intact and are what the teacher would give today.

    python -m stage1_extract.verify --teacher ulip                  checksums, and some rows live
    python -m stage1_extract.verify --teacher ulip --repair         and extract bad tars again

Checks every marker and checksum, then recomputes `--rows` random rows with the teacher and
compares. Exit code 1 if a tar is bad or missing, or a recomputed row's cosine is below 0.9999.
"""

import argparse
import sys
from dataclasses import dataclass

import numpy as np

from pipeline.config import load_params
from pipeline.errors import UserError, exit_on_user_error
from pipeline.samples import decode_member
from pipeline.shards import read_shard
from pipeline.store import FeatureStore
from pipeline.store.marker import marker_path
from pipeline.views import ViewRng
from stage1_extract.extraction import Extraction
from stage1_extract.extractor import Extractor
from stage1_extract.pairs import select_extractions
from stage1_extract.progress import ExtractionProgress

LEAST_COSINE = 0.9999


@dataclass(frozen=True)
class Verdict:
    """What was found in one store."""

    bad: dict[int, str]
    """Tar number -> what is wrong with it, and the command that mends it."""
    cosines: list[float]
    """Of the recomputed rows, each under one random view."""

    @property
    def good(self) -> bool:
        """Whether the store may be used."""
        return not self.bad and min(self.cosines, default=1.0) >= LEAST_COSINE


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m stage1_extract.verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--teacher", required=True, help="name under `teachers`")
    parser.add_argument("--source", nargs="+", help="names under `sources`; default: all paired")
    parser.add_argument("--rows", type=int, default=8, help="rows to recompute (%(default)s)")
    parser.add_argument("--repair", action="store_true", help="extract bad tars again")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    names = select_extractions(params, [arguments.teacher], arguments.source)
    verdicts, extractor = [], Extractor(params)
    for name in names:
        extraction = extractor.extraction(name)
        verdict = verify(extraction, arguments.rows)
        if verdict.bad and arguments.repair:
            print(_report(extraction, verdict) + "; repairing")
            repair(extraction, verdict)
            verdict = verify(extraction, arguments.rows)
        print(_report(extraction, verdict))
        verdicts.append(verdict)
    sys.exit(0 if all(verdict.good for verdict in verdicts) else 1)


def verify(extraction: Extraction, rows: int) -> Verdict:
    """Check every tar's planes, then recompute `rows` rows drawn by the run's seed.

    Raises:
        UserError: there is no store, or it belongs to another recipe.
    """
    store = FeatureStore(extraction.path, extraction.index, extraction.provenance.determines)
    bad: dict[int, str] = {}
    for shard in range(len(extraction.index.shards)):
        try:
            for view in range(store.views):
                store.read(shard, view)
        except UserError as error:
            bad[shard] = str(error)
    rng = ViewRng(extraction.maker.seed, extraction.index.dataset, 0, "verify")
    whole = [shard for shard in range(len(extraction.index.shards)) if shard not in bad]
    drawn = [(whole[rng.integer(len(whole))], rng) for _ in range(rows)] if whole else []
    return Verdict(bad, [_recomputed(extraction, store, shard, rng) for shard, rng in drawn])


def repair(extraction: Extraction, verdict: Verdict) -> None:
    """Withdraw the markers of bad tars and extract those tars again."""
    for shard in verdict.bad:
        tar = extraction.index.shards[shard].name
        marker_path(extraction.path, tar).unlink(missing_ok=True)
    with ExtractionProgress("repair") as progress:
        extraction.run(progress)


def _recomputed(extraction: Extraction, store: FeatureStore, shard: int, rng: ViewRng) -> float:
    """Cosine between a cached row and the same view through the teacher now; 1 if it had failed."""
    info, view = extraction.index.shards[shard], rng.integer(store.views)
    row = rng.integer(info.count)
    key, members = list(read_shard(extraction.folder, info))[row]
    cached = store.read(shard, view).features[row].astype(np.float32)
    if np.isnan(cached).any():
        return 1.0
    decoded = decode_member(members, extraction.maker.chain.member)
    array = extraction.maker(decoded, key, view).array
    inputs = extraction.teacher.preprocess(array)[None]
    live = extraction.forward.encode(inputs)[0].cpu().numpy()
    return float(live @ cached / (np.linalg.norm(live) * np.linalg.norm(cached)))


def _report(extraction: Extraction, verdict: Verdict) -> str:
    tars = len(extraction.index.shards)
    least = f"{min(verdict.cosines):.6f}" if verdict.cosines else "-"
    lines = [
        f"{extraction.path}: {tars - len(verdict.bad)} of {tars} tars intact, "
        f"{len(verdict.cosines)} rows recomputed, least cosine {least}"
    ]
    return "\n  ".join([*lines, *verdict.bad.values()])


if __name__ == "__main__":
    exit_on_user_error(main)

"""All parts of a table, in processes side by side, and what they found, put together by object."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from demo.ablation.folds import held_out
from demo.ablation.parts import DATA, Crossvalidation, Done, Part
from demo.ablation.settings import SCORED, Budget, pack_of
from demo.ablation.variants import TABLES, Variant
from pipeline.config import Params
from pipeline.datasets.reading.pack import read_lines
from pipeline.engine import Workers
from pipeline.identity import fingerprint
from pipeline.progress import ProgressLine

_MEND = "Run again: finished parts are kept"
_PATIENCE = 24 * 3600.0
"""Seconds of a part at most: it trains, on whatever machine."""
_BESIDE_CLIP = ("multimae",)
"""Teachers that need no CLIP."""


@dataclass(frozen=True)
class Findings:
    """What a table is made of."""

    right: dict[str, dict[str, np.ndarray]]
    """Benchmark -> a variant's folder -> share of right answers of each object, in one order."""
    samples: dict[str, int]
    """Benchmark -> answers of a variant."""
    teachers: dict[str, list[dict[str, float]]]
    """Teacher -> its scores in each fold."""
    seconds: float
    """Of all parts, one after the other."""


def folds_folder(params: Params, budget: Budget) -> Path:
    """Where the folds of a pack under a budget lie.

    Raises:
        UserError: the params name no pack, or a damaged one.
    """
    pack = pack_of(params)
    chosen = [sorted(fold) for fold in held_out(pack, budget.folds)]
    objects = read_lines(pack, "objects", ("id",))
    recipe = fingerprint({"budget": asdict(budget), "folds": chosen, "objects": objects}, 6)
    return Path(params.train.out).parent / "ablate" / f"folds-{recipe}"


def phases(table: int, folds: int) -> Iterator[list[Part]]:
    """The parts of a table; those of one phase need nothing of each other, the longest first."""
    variants = list(dict.fromkeys(row.variant for row in TABLES[table]))
    teachers = {teacher for variant in variants for teacher in variant.teachers}
    alone = [name for name in _BESIDE_CLIP if name in teachers]
    yield _over(folds, [DATA])
    yield _over(folds, ["clip", *alone])
    yield _over(folds, [n for n in ("ulip", "recon", "vitlens") if n in teachers])
    yield _over(folds, variants)


def cross_validate(params: Params, table: int, budget: Budget, workers: int) -> Findings:
    """Do what is not done yet of a table in `workers` processes; none: in this one.

    Raises:
        UserError: wrong input, or a process died.
    """
    job = Crossvalidation(params, folds_folder(params, budget), budget)
    todo = list(phases(table, budget.folds))
    done: dict[Part, Done] = {}
    with Workers(job, workers, _MEND, _PATIENCE) as pool, ProgressLine("part") as line:
        line.begin(sum(map(len, todo)))
        for parts in todo:
            for part, result in zip(parts, pool.map(parts, workers)):
                done[part] = result
                line.update(len(done), str(part))
    return _put_together(done)


def by_object(answers: Mapping[str, bool], modality: str) -> dict[str, float]:
    """Object -> share of right answers; a depth map's key is its object's and its camera's."""
    found = defaultdict(list)
    for key, right in answers.items():
        found[key.rpartition("-")[0] if modality == "depth" else key].append(right)
    return {name: sum(each) / len(each) for name, each in found.items()}


def _over(folds: int, what: Sequence[str | Variant]) -> list[Part]:
    return [Part(fold, each) for each in what for fold in range(folds)]


def _put_together(done: Mapping[Part, Done]) -> Findings:
    shares: dict[str, dict[str, dict[str, float]]] = {name: defaultdict(dict) for name in SCORED}
    teachers, samples = defaultdict(list), dict[str, int]()
    for part, result in done.items():
        if isinstance(part.what, Variant):
            for name in SCORED:
                shares[name][part.what.folder] |= by_object(result.found[name], name)
        elif part.what != DATA:
            teachers[part.what].append(result.found)
    some = next(part.what for part in done if isinstance(part.what, Variant))
    for name in SCORED:
        answered = (r.found[name] for part, r in done.items() if part.what == some)
        samples[name] = sum(map(len, answered))
    right = {name: {v: _ordered(s) for v, s in each.items()} for name, each in shares.items()}
    return Findings(right, samples, dict(teachers), sum(r.seconds for r in done.values()))


def _ordered(shares: Mapping[str, float]) -> np.ndarray:
    return np.array([shares[key] for key in sorted(shares)])

"""How a benchmark is scored: as a published one, eval/protocols/NAME.yaml, or as its data ask."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from pipeline.config import BenchmarkConfig
from pipeline.config.evaluation import Metric
from pipeline.config.templates import Prompts
from pipeline.config.yaml_document import parse_yaml
from pipeline.errors import UserError
from pipeline.small_files import read_small
from pipeline.unknown_name import unknown_name

FOLDER = Path(__file__).parent / "protocols"
Declared = TypeVar("Declared")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What of a benchmark is not said by its data: classes and their words the converter has."""

    metric: Metric | None = None
    """None: by what the data say."""
    windows: int = 1
    """Evenly spaced windows of a sound; their features are averaged before they are normalised."""
    prompts: Prompts | None = None
    """None: those of the source."""
    others: int = 0
    """Classes at the end of the list that are one, `others`, which scores as the best of them."""
    samples: int | None = None
    """Of the published list, where that is fixed."""


def protocol_of(benchmark: BenchmarkConfig) -> Protocol:
    """The protocol that a benchmark names, or the one of its own settings.

    Raises:
        UserError: there is none of that name.
    """
    if benchmark.protocol is None:
        return Protocol(metric=benchmark.metric, windows=benchmark.windows or 1)
    path = FOLDER / f"{benchmark.protocol}.yaml"
    known = [found.stem for found in FOLDER.glob("*.yaml")]
    if benchmark.protocol not in known:
        raise unknown_name("protocol", benchmark.protocol, known)
    return read_yaml(path, Protocol)


def read_yaml(path: Path, declared: type[Declared]) -> Declared:
    """A data file beside this one.

    Raises:
        UserError: somebody changed it so that it cannot be read.
    """
    mend = f"restore it: git checkout {path.name}"
    try:
        return msgspec.convert(parse_yaml(read_small(path, mend).decode()), declared)
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: {error}; {mend}") from None

"""The pairs of teacher and source in a params file, and the models that they run."""

from functools import lru_cache

from pipeline.config import Params
from pipeline.device import default_device
from pipeline.errors import UserError
from pipeline.unknown_name import unknown_name
from stage1_extract.teachers import Teacher, load_teacher


def select_extractions(params: Params, teacher: str, sources: list[str] | None) -> list[str]:
    """Names under `extract` of a teacher and, if given, of some sources.

    Raises:
        UserError: there is no such pair.
    """
    if teacher not in params.teachers:
        raise unknown_name("teacher", teacher, params.teachers)
    pairs = {pair.source: name for name, pair in params.extract.items() if pair.teacher == teacher}
    for source in sources or []:
        if source not in pairs:
            raise UserError(
                f"--source {source}: `extract` pairs {teacher} with {', '.join(pairs) or 'nothing'}"
            )
    return [pairs[source] for source in sources or pairs]


def teacher_of(params: Params, teacher: str, source: str) -> Teacher:
    """Load the model of a teacher that runs over a source, on the default device."""
    arch, weights = params.teachers[teacher].model(params.sources[source].modality)
    return _loaded(teacher, arch, weights)


@lru_cache(maxsize=1)
def _loaded(name: str, arch: str, weights: str | None) -> Teacher:
    """The model, still in memory where the pair before had the same."""
    return load_teacher(name, weights=weights, arch=arch, device=default_device())

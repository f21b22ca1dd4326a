"""The pairs of teacher and source in a params file."""

from collections.abc import Sequence

from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.unknown_name import unknown_name


def select_extractions(
    params: Params, teachers: Sequence[str], sources: Sequence[str] | None
) -> list[str]:
    """Names under `extract` of some teachers and, if given, of some sources.

    Raises:
        UserError: there is no such teacher, or none of them is paired with one of the sources.
    """
    for teacher in teachers:
        if teacher not in params.teachers:
            raise unknown_name("teacher", teacher, params.teachers)
    pairs = {
        (pair.teacher, pair.source): name
        for name, pair in params.extract.items()
        if pair.teacher in teachers
    }
    paired = list(dict.fromkeys(source for _, source in pairs))
    there = f"`extract` pairs {' and '.join(teachers)} with {', '.join(paired) or 'nothing'}"
    if not paired:
        raise UserError(there)
    for source in sources or []:
        if source not in paired:
            raise UserError(f"--source {source}: {there}")
    wanted = [(teacher, source) for teacher in teachers for source in sources or paired]
    return list(dict.fromkeys(pairs[pair] for pair in wanted if pair in pairs))

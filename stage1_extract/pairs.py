"""The pairs of teacher and source in a params file, and the models that they run."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.config import Params
from pipeline.device import default_device
from pipeline.dvc_stage import require_watched
from pipeline.errors import UserError
from pipeline.unknown_name import unknown_name
from stage1_extract.teachers import Teacher, load_teacher


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


def teacher_of(params: Params, teacher: str, source: str) -> Teacher:
    """Load the model of a teacher that runs over a source, on the default device.

    Raises:
        UserError: what `load_teacher` raises; weights of another hash than the params pin; or,
            within a DVC stage, a file that DVC does not watch.
    """
    arch, weights, sha256 = params.teachers[teacher].model(params.sources[source].modality)
    loaded = load_teacher(teacher, weights=weights, arch=arch, device=default_device())
    found = loaded.provenance["weights_sha256"]
    if sha256 not in (None, found):
        raise UserError(
            f"teachers.{teacher}.weights: {weights or arch} has sha256 {found}, expected {sha256} "
            f"of teachers.{teacher}.sha256; restore the file or say the other hash"
        )
    require_watched(loaded.files, Path(params.teacher_files) / teacher, f"teachers.{teacher}")
    return loaded

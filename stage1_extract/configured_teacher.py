"""The model that a params file names for a teacher and a source."""

from pathlib import Path

from pipeline.config import Params
from pipeline.device import default_device
from pipeline.dvc_stage import require_watched
from pipeline.errors import UserError
from stage1_extract.teachers import Teacher, load_teacher


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

"""What a stage of dvc.yaml may read: only what DVC watches makes it run again."""

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import UserError


def require_watched(
    files: Iterable[Path],
    folder: Path,
    what: str,
    mend: str = "move it there, or set teacher_files",
) -> None:
    """Within a stage that DVC runs, refuse files outside the folder among its dependencies.

    Downloads are told apart by name and, where the params pin it, by hash.

    Raises:
        UserError: the first such file, and where to put it.
    """
    if "DVC_STAGE" not in os.environ:
        return
    # Seconds, which what needs no weights need not wait for
    from huggingface_hub.constants import HF_HUB_CACHE

    from pipeline.openclip.files import URL_CACHE

    watched = [folder, Path(HF_HUB_CACHE), URL_CACHE.expanduser()]
    for file in files:
        if not any(file.absolute().is_relative_to(place.absolute()) for place in watched):
            raise UserError(
                f"{what}: {file} lies outside {folder}, so dvc would not notice that it changed; "
                f"{mend}"
            )

"""Students on a model hub: `hf://ORG/NAME[@REVISION]`, downloaded into the hub's cache."""

import os
import re
from pathlib import Path

from huggingface_hub import snapshot_download

from pipeline.errors import UserError
from pipeline.torch_file import first_line
from pipeline.weights import HUB_SCHEME
from stage2_train.student.portable import PUBLISHED

_ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


def is_hub_address(path: str | Path) -> bool:
    """Whether a student is named by its place on a hub."""
    return str(path).startswith(HUB_SCHEME)


def student_folder(path: str | Path) -> Path:
    """The folder of a student; of one on a hub its copy in the hub's cache.

    Only files that a student consists of are downloaded: JSON, tensors, and a tokenizer's merges.
    `HF_ENDPOINT` and `HF_HOME` are honoured.

    Raises:
        UserError: no such address, or it cannot be downloaded.
    """
    if not is_hub_address(path):
        return Path(path)
    found = _ADDRESS.fullmatch(str(path))
    if found is None:
        raise UserError(f"{path}: expected hf://ORG/NAME or hf://ORG/NAME@REVISION")
    try:
        folder = snapshot_download(
            found[1],
            revision=found[2],
            endpoint=os.environ.get("HF_ENDPOINT"),
            allow_patterns=list(PUBLISHED),
            tqdm_class=None,
        )
    except Exception as error:  # the hub's library passes on what its HTTP library raises
        raise UserError(
            f"{path}: could not be downloaded ({first_line(error)}); check the name and "
            "HF_ENDPOINT, or download the folder yourself and give its path"
        ) from error
    return Path(folder)

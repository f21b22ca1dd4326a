"""A student's folder as a hub gets it, and its upload."""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

from huggingface_hub import HfApi

from pipeline.commands import params_file
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.torch_file import first_line
from stage2_train.student import Student
from stage2_train.student.carried_clip import by_tag
from stage2_train.student.portable import CARD, PUBLISHED, load_projectors

README = "README.md"
_ADDRESS = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def check_address(repository: str) -> None:
    """Raise `UserError` unless it is ORG/NAME."""
    if not _ADDRESS.fullmatch(repository):
        raise UserError(f"--to {repository}: expected ORG/NAME, a repository on the hub")


def staged(params: Params, ckpt: Path, repository: str) -> Path:
    """Load a student, and so prove it, and save what is published of it beside its folder.

    A CLIP that a tag names is named by the tag alone: anyone can download it. Views that an older
    folder does not say are those of the params.

    Raises:
        UserError: it does not load, was trained with other params, or holds a file that could hold
            code.
    """
    student = Student.load(ckpt)
    _check_trained_with(params, student, ckpt)
    student.config, student.views = by_tag(student.config), student.views or params.views
    folder = ckpt.parent / "published" / repository
    if (folder / CARD).exists():
        shutil.rmtree(folder)
    student.save(folder, load_projectors(ckpt, student.width))
    for file in (path for path in folder.rglob("*") if path.is_file()):
        if not any(file.relative_to(folder).match(pattern) for pattern in PUBLISHED):
            raise UserError(
                f"{file}: expected tensors as .safetensors alone, which hold no code; give "
                "student.weights a tag, hf://ORG/REPO/FILE or a .safetensors file, and train again"
            )
    return folder


def _check_trained_with(params: Params, student: Student, ckpt: Path) -> None:
    theirs = params.student
    if replace(student.config, arch=theirs.arch, weights=theirs.weights) != theirs:
        raise UserError(
            f"{ckpt}: its config is not the `student` of {params_file()}; name the params file "
            "that it was trained with by --params"
        )


def upload(folder: Path, repository: str) -> str:
    """Put the folder's files into a repository, made if need be; its address.

    Raises:
        UserError: the hub refuses, or cannot be reached.
    """
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        api.create_repo(repository, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=[*PUBLISHED, README],
            commit_message="A student of UNIALIGN",
        )
    except Exception as error:  # the hub's library passes on what its HTTP library raises
        raise UserError(
            f"{repository}: could not be uploaded ({first_line(error)}); check the name, HF_TOKEN "
            f"(or run: hf auth login) and HF_ENDPOINT; {folder} is ready"
        ) from error
    return f"hf://{repository}"

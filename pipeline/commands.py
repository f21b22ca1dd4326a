"""The commands that messages recommend, each with the params file that the user named."""

import os
import shlex
import sys

DEFAULT = "params.yaml"
_named = DEFAULT


def use_params_file(path: str) -> None:
    """Recommend commands over this params file from now on, in this process."""
    global _named
    _named = path


def params_file() -> str:
    """The params file of the commands that are recommended; workers are told it by their job."""
    return _named


def prepare_command(source: str) -> str:
    """Makes the shards of a source."""
    return _over_params(f"pipeline.prepare --source {source}")


def extract_command(teacher: str, source: str) -> str:
    """Fills the store of a teacher over a source."""
    return _over_params(f"stage1_extract --teacher {teacher} --source {source}")


def verify_command(teacher: str, source: str) -> str:
    """Checks that store."""
    return _over_params(f"stage1_extract.verify --teacher {teacher} --source {source}")


def repair_command(teacher: str, source: str) -> str:
    """Extracts again what is damaged in that store."""
    return f"{verify_command(teacher, source)} --repair"


def train_command() -> str:
    """Trains the student."""
    return _over_params("stage2_train")


def zeroshot_command(ckpt: object) -> str:
    """Scores the student in a folder."""
    return _over_params(f"eval.zeroshot --ckpt {ckpt}")


def same_command() -> str:
    """The command that runs now, to be run again; that of DVC, where DVC runs it."""
    if "DVC_STAGE" in os.environ:
        return "dvc repro"
    ranks, machines = (os.environ.get(f"{of}_WORLD_SIZE") for of in ("LOCAL", "GROUP"))
    start = f"torchrun{_on(machines)} --nproc-per-node {ranks}" if ranks else "python"
    spec = sys.modules["__main__"].__spec__
    module = [] if spec is None else ["-m", spec.name.removesuffix(".__main__")]
    typed = sys.argv[1:] if module else sys.argv
    return shlex.join([*start.split(), *module, *typed])


def _on(machines: str | None) -> str:
    """What torchrun is told on each of several machines; which of them is FIRST it does not say."""
    if machines in (None, "1"):
        return ""
    return f" --nnodes {machines} --rdzv-backend c10d --rdzv-endpoint FIRST:29400"


def _over_params(module: str) -> str:
    named = "" if _named == DEFAULT else f" --params {_named}"
    return f"python -m {module}{named}"

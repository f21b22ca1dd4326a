"""The commands that messages recommend, each with the params file that the user named."""

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


def _over_params(module: str) -> str:
    named = "" if _named == DEFAULT else f" --params {_named}"
    return f"python -m {module}{named}"

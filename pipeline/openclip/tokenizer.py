"""The tokenizer that belongs to an open_clip model."""

import gzip
from collections.abc import Callable
from pathlib import Path

import open_clip
from torch import Tensor

from pipeline.errors import UserError
from pipeline.openclip.files import local_dir
from pipeline.openclip.local_config import read_local_config
from pipeline.unpickling import first_line

MAX_MERGES = 64 << 20
"""Bytes of a merges file when it is unpacked; open_clip's has 3 million."""


def load_tokenizer(arch: str, vocabulary: int | None) -> Callable[[list[str]], Tensor]:
    """The model's own tokenizer: prompts to token ids int64 [C, context].

    Raises:
        UserError: its merges are missing or no such file, or it knows more tokens than the model.
    """
    folder, settings = local_dir(arch), {}
    if folder:
        settings = read_local_config(folder).tokenizer
        if "bpe_path" in settings:
            settings["bpe_path"] = str(readable_merges(folder / settings["bpe_path"]))
    try:
        tokenizer = open_clip.get_tokenizer(arch, **settings)
    except Exception as error:
        raise UserError(f"{arch}: no tokenizer ({first_line(error)})") from error
    size = getattr(tokenizer, "vocab_size", 0)
    if vocabulary is not None and size > vocabulary:
        raise UserError(
            f"{arch}: the tokenizer knows {size} tokens, the model {vocabulary}; "
            "its text_cfg needs the tokenizer_kwargs it was trained with"
        )
    return tokenizer


def readable_merges(path: Path) -> Path:
    """The file itself, if it is one; raises `UserError` where it would fill the memory."""
    try:
        if not path.is_file():
            raise OSError("no such file")
        with gzip.open(path) as file:
            if len(file.read(MAX_MERGES + 1)) > MAX_MERGES:
                raise OSError(f"more than {MAX_MERGES} bytes when unpacked")
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{path}: expected gzipped merges ({error})") from None
    return path

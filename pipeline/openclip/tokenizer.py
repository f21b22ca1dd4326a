"""The tokenizer that belongs to an open_clip model."""

from collections.abc import Callable

import open_clip
from torch import Tensor

from pipeline.errors import UserError
from pipeline.openclip.files import local_dir
from pipeline.openclip.local_config import read_local_config
from pipeline.small_files import check_gzip
from pipeline.torch_file import first_line


def load_tokenizer(arch: str, vocabulary: int | None) -> Callable[[list[str]], Tensor]:
    """The model's own tokenizer: prompts to token ids int64 [C, context].

    Raises:
        UserError: its merges are missing or no such file, or it knows more tokens than the model.
    """
    folder, settings = local_dir(arch), {}
    if folder:
        settings = read_local_config(folder).tokenizer
        if "bpe_path" in settings:
            merges = folder / settings["bpe_path"]
            check_gzip(merges, "expected the gzipped merges of bpe_path")
            settings["bpe_path"] = str(merges)
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

"""SLIP's text tower, the frozen text side of ULIP-1, and the tokenizer ULIP uses with it.

Facts: salesforce/ULIP@f194ddb, models/ULIP_models.py and utils/tokenizer.py.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import QuickGELU, TextTransformer
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.small_files import check_gzip
from stage1_extract.teachers.arch_file import Depth, Size

BATCH = 256
TEXT_KEYS = (
    "token_embedding",
    "positional_embedding",
    "transformer",
    "ln_final",
    "text_projection",
)
"""First parts of the tower's tensor names at the root of a ULIP checkpoint."""


class SlipTextArch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes of the text tower; the defaults are SLIP's ViT-B ones."""

    width: Size = 512
    """Width of the transformer."""
    layers: Depth = 12
    """Number of blocks."""
    heads: Size = 8
    """Attention heads."""
    context_length: Size = 77
    """Token ids of a prompt, start and end included."""
    vocab_size: Size = 49408
    """Entries of the token embedding."""
    quick_gelu: bool = True
    """x * sigmoid(1.702 x), as SLIP and OpenAI's CLIP; False for the exact GELU."""
    bpe_path: str | None = None
    """Merges file (.txt.gz), relative to the arch file; CLIP's own where it is left out."""


class SlipTokenizer:
    """Prompts to ids as ULIP's own tokenizer makes them."""

    def __init__(self, arch: SlipTextArch, arch_file: Path | None = None) -> None:
        self.context_length = arch.context_length
        self.merges = _merges_file(arch, arch_file)
        """Where they are not CLIP's own."""
        self._bpe = _bpe(arch, self.merges)

    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """Return int64 [C, context], padded with 0.

        An over-long prompt loses its end token, unlike in open_clip: the official behaviour.
        """
        ids = torch.zeros(len(prompts), self.context_length, dtype=torch.long)
        for row, prompt in zip(ids, prompts, strict=True):
            tokens = [self._bpe.sot_token_id, *self._bpe.encode(prompt), self._bpe.eot_token_id]
            kept = tokens[: self.context_length]
            row[: len(kept)] = torch.tensor(kept)
        return ids


def build_slip_text(arch: SlipTextArch, dim: int) -> TextTransformer:
    """Build the tower: un-normalised features [C, dim] of token ids [C, context]."""
    return TextTransformer(
        context_length=arch.context_length,
        vocab_size=arch.vocab_size,
        width=arch.width,
        heads=arch.heads,
        layers=arch.layers,
        output_dim=dim,
        act_layer=QuickGELU if arch.quick_gelu else nn.GELU,
    )


def encode_ids(tower: TextTransformer, ids: Tensor) -> Tensor:
    """Return features [C, dim] of token ids int64 [C, context], pooled at the largest id.

    Attention is causal, so what follows the last end token of the batch is left out: the same
    features, several times faster on short prompts.
    """
    ends = ids.argmax(1)
    length = int(ends.max()) + 1
    x = tower.token_embedding(ids[:, :length]) + tower.positional_embedding[:length]
    mask = torch.full((length, length), -torch.inf, device=ids.device).triu(1)
    x = tower.transformer(x, attn_mask=mask)
    return (
        tower.ln_final(x[torch.arange(len(ids), device=ids.device), ends]) @ tower.text_projection
    )


@torch.no_grad()
def encode_prompts(
    tower: TextTransformer, tokenizer: SlipTokenizer, prompts: Sequence[str]
) -> Tensor:
    """Return features float32 [C, dim] of prompts."""
    device = tower.positional_embedding.device
    features = torch.empty(len(prompts), tower.output_dim or 0, device=device)
    for start in range(0, len(prompts), BATCH):
        ids = tokenizer(prompts[start : start + BATCH]).to(device)
        features[start : start + len(ids)] = encode_ids(tower, ids)
    return features


def _merges_file(arch: SlipTextArch, arch_file: Path | None) -> Path | None:
    if arch.bpe_path is None:
        return None
    path = arch_file.parent / arch.bpe_path if arch_file else Path(arch.bpe_path)
    check_gzip(path, "expected the gzipped merges of bpe_path")
    return path


def _bpe(arch: SlipTextArch, merges: Path | None) -> SimpleTokenizer:
    tokenizer = SimpleTokenizer(bpe_path=str(merges)) if merges else SimpleTokenizer()
    if tokenizer.vocab_size > arch.vocab_size:
        raise UserError(
            f"the tokenizer knows {tokenizer.vocab_size} tokens, the text tower {arch.vocab_size}; "
            "give vocab_size and bpe_path as they were in training"
        )
    return tokenizer

"""CLIP's text tower where its weights come inside another model's file, as in ViT-Lens.

A tower of a CLIP file of its own is `pipeline.openclip`'s; blocks, sizes and encoding are shared
with SLIP's tower, which differs in its GELU and in how it cuts over-long prompts.
"""

from collections.abc import Sequence

from torch import Tensor

from stage1_extract.teachers.slip_text import SlipTextArch, SlipTokenizer


class ClipTextArch(SlipTextArch, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes of the text tower; the defaults are CLIP ViT-L/14's, with the exact GELU."""

    width: int = 768
    heads: int = 12
    quick_gelu: bool = False


class ClipTokenizer(SlipTokenizer):
    """Prompts to ids as open_clip makes them: an over-long prompt keeps its end token."""

    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """Return int64 [C, context], padded with 0."""
        return self._bpe(list(prompts), context_length=self.context_length)

"""What both stages share of open_clip: one CLIP, frozen, with its own preprocessing and tokenizer.

The model, its tokenizer, its preprocessing constants and its checkpoint conversions are
open_clip's; this package picks them together so that they cannot disagree, and says what they are.
"""

from pipeline.openclip.files import (
    DIR_CONFIG,
    DIR_WEIGHTS,
    LOCAL_DIR,
    arch_file,
    local_dir,
    weights_here,
)
from pipeline.openclip.model import OpenClip, Preprocessing, load_openclip

__all__ = [
    "DIR_CONFIG",
    "DIR_WEIGHTS",
    "LOCAL_DIR",
    "OpenClip",
    "Preprocessing",
    "arch_file",
    "load_openclip",
    "local_dir",
    "weights_here",
]

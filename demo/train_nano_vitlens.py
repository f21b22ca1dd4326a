"""Train the nano ViT-Lens for depth and audio against the frozen nano CLIP, by ViT-Lens's recipe.

    python -m demo.train_nano_vitlens

Writes demo/nano/vitlens/: depth.json and audio.json (the architectures), vitlens.pt in the layout
of the official all-in-one file, train.log and scores.json. The loss is ViT-Lens's: half the sum of
the cross-entropies lens-image and lens-text, both ways (sounds have no images); trained are the
adapter and, for depth, the first half of the ViT's blocks, for audio the Perceiver and the class
token; the augmentation is the modality's chain of pipeline/views. The scores are zero-shot on
held-out objects and held-out pitches, computed once.
"""

import argparse

from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    argparse.ArgumentParser(
        prog="python -m demo.train_nano_vitlens",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    with importing():
        from demo.nano_clip import OUT as CLIP
        from demo.nano_clip import PACK
        from demo.nano_vitlens import LENSES, OUT, make

    print(make(PACK, CLIP, OUT, LENSES))


if __name__ == "__main__":
    exit_on_user_error(main)

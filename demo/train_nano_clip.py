"""Train the nano CLIP on the pack's train split, from scratch.

    python -m demo.train_nano_clip            # about 12 minutes on two cores

Writes demo/nano/clip/ in open_clip's local-dir layout (open_clip_config.json, float16
open_clip_model.safetensors, the shortened vocabulary bpe.txt.gz), with train.log and scores.json.
Symmetric InfoNCE between renders or pictures and their captions; captions of the same concept in a
batch are positives of each other. The vision tower starts from the mimetic initialisation. The
scores are zero-shot on held-out objects, computed once.
"""

import argparse

from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    argparse.ArgumentParser(
        prog="python -m demo.train_nano_clip",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    with importing():
        from demo.nano_clip import OUT, PACK, STEPS, make

    print(make(PACK, OUT, STEPS))


if __name__ == "__main__":
    exit_on_user_error(main)

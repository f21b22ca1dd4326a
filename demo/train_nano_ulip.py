"""Train the nano ULIP against the frozen nano CLIP, by ULIP's recipe, on the pack's train split.

    python -m demo.train_nano_ulip [--epochs 24]

Writes demo/nano/ulip/: arch.json, checkpoint.pt in the official layout (`state_dict`, `module.`
prefix, the frozen text tower beside the point encoder), train.log and scores.json. The loss is
ULIP's: cross-entropy cloud-text and cloud-image, both ways, each halved; the augmentation is the
points chain of pipeline/views. The scores are zero-shot on held-out objects, computed once.
"""

import argparse

from pipeline.argument_types import count
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.train_nano_ulip",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--epochs", type=count, default=24, help="default: %(default)s")
    arguments = parser.parse_args()
    with importing():
        from demo.nano_clip import OUT as CLIP
        from demo.nano_clip import PACK
        from demo.nano_ulip import OUT, make

    print(make(PACK, CLIP, OUT, arguments.epochs))


if __name__ == "__main__":
    exit_on_user_error(main)

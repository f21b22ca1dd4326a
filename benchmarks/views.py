"""Decode-and-augment throughput of one core beside the same chains in torchvision and torchaudio.

    python -m benchmarks.views

For every modality, both sides start from a member's bytes and end at what a model's preprocessing
takes, under Table 1's settings: ours through `ViewMaker`, digests included; the peer with
torchvision's v2 transforms, torchaudio and their global generators. Rounds of both alternate; time
is this process's own on one thread, so that other programs do not count. Samples are made:
a 500 x 375 JPEG, 10 s of 320 x 240 H.264 (keyframes 10 s or 1 s apart), a 640 x 480 depth map,
10 s of 44.1 kHz stereo FLAC, a cloud of 10,000 points.
"""

import argparse

from pipeline.argument_types import count
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.views",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=count, default=5, help="of each side (%(default)s)")
    arguments = parser.parse_args()
    with importing():
        from benchmarks.view_contest import measure

    measure(arguments.rounds)


if __name__ == "__main__":
    exit_on_user_error(main)

"""Embeddings of media files, one of any modality beside the other, and how near they are.

    python examples/encode.py runs/demo/student a.jpg b.wav c.npy d.mp4

Prints the cosine similarity of every file to every other. A 16-bit grey PNG is a depth map; its
sensor stands in a JSON beside it: {"baseline": METRES, "fx": PIXELS}.
"""

import argparse
import sys

from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("student", help="folder of a trained student, or hf://ORG/NAME")
    parser.add_argument("files", nargs="+", help="images, clips, clouds, depth maps, sounds")
    arguments = parser.parse_args()
    with importing():
        from stage2_train.student import Student

    found = Student.load(arguments.student).encode_files(arguments.files, normalise=True)
    for file, why in found.failed.items():
        print(f"{file}: {why}", file=sys.stderr)
    for file, modality, row in zip(found.files, found.modalities, found.embeddings):
        similarities = (found.embeddings @ row).tolist()
        print(*(f"{value:7.3f}" for value in similarities), f"  {modality or 'failed'} {file}")


if __name__ == "__main__":
    exit_on_user_error(main)

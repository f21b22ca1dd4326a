"""Classify your own files, of any modality, by classes that you name.

    python examples/zero_shot.py runs/demo/student --classes chair lamp bed --files a.jpg c.npy

Prints the nearest class of each file and its cosine similarity.
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
    parser.add_argument("--classes", nargs="+", required=True, help="in words")
    parser.add_argument("--files", nargs="+", required=True, help="of any modality")
    parser.add_argument("--prompts", default="photo", help="templates; default: %(default)s")
    arguments = parser.parse_args()
    with importing():
        from pipeline.prompts import class_embeddings, templates
        from stage2_train.student import Student

    student = Student.load(arguments.student)
    prompts = templates(arguments.prompts)
    classes = class_embeddings(student.encode_text, arguments.classes, prompts)
    found = student.encode_files(arguments.files, normalise=True)
    for file, row in zip(found.files, found.embeddings):
        if file in found.failed:
            print(f"{file}: {found.failed[file]}", file=sys.stderr)
            continue
        similarity, nearest = (classes @ row).max(dim=0)
        print(f"{similarity:7.3f}  {arguments.classes[nearest]}  {file}")


if __name__ == "__main__":
    exit_on_user_error(main)

"""Find the files that are nearest to a text, or to a file of another modality.

    python examples/retrieval.py runs/demo/student "a red chair" --among *.jpg *.npy *.wav
    python examples/retrieval.py runs/demo/student sound.wav --among *.jpg

The query is a file where there is one of that name, else a text. Many files are better embedded
once: `python -m eval.export`, then `python -m eval.search`.
"""

import argparse
import sys
from pathlib import Path

from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("student", help="folder of a trained student, or hf://ORG/NAME")
    parser.add_argument("query", help="a text, or a file of any modality")
    parser.add_argument("--among", nargs="+", required=True, help="files to search")
    arguments = parser.parse_args()
    with importing():
        from torch.nn.functional import normalize

        from stage2_train.student import Student

    student = Student.load(arguments.student)
    if Path(arguments.query).exists():
        asked = student.encode_files(arguments.query)
        for file, why in asked.failed.items():
            raise UserError(f"{file}: {why}")
        query = asked.embeddings
    else:
        query = student.encode_text(arguments.query).cpu()
    found = student.encode_files(arguments.among, normalise=True)
    for file, why in found.failed.items():
        print(f"{file}: {why}", file=sys.stderr)
    cosines = (found.embeddings @ normalize(query[0], dim=0)).tolist()
    known = [pair for pair in zip(cosines, found.files) if pair[1] not in found.failed]
    for cosine, file in sorted(known, key=lambda pair: -pair[0]):
        print(f"{cosine:7.3f}  {file}")


if __name__ == "__main__":
    exit_on_user_error(main)

"""The nearest of a file of embeddings to a text or to a file of any modality, exactly.

    python -m eval.search --index all.npz --text "a red chair"
    python -m eval.search --index all.npz --file x.wav --top 3

Prints cosine, modality, label and key of each, the nearest first. The student that made the
embeddings encodes the query: it is looked for where it was then, or where --ckpt says. In a large
file faiss searches where it is installed (pip install -e ".[faiss]"), else numpy: both exactly.
"""

import argparse
from pathlib import Path

from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    if arguments.top < 1:
        raise UserError(f"--top {arguments.top}: expected a number >= 1")
    with importing():
        from eval.embeddings import read
        from eval.query import encoded_file, student_of

    index = read(Path(arguments.index))
    student = student_of(index, arguments.ckpt)
    if arguments.file:
        query = encoded_file(student, Path(arguments.file))
    else:
        query = student.encode_text(arguments.text)[0].cpu().numpy()
    for row, cosine in index.nearest(query, arguments.top):
        label = f"{index.label[row]}  " if index.label[row] else ""
        print(f"{cosine:7.3f}  {index.modality[row]:6}  {label}{index.key[row]}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval.search",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--index", required=True, help="what eval.export wrote")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", help="what to look for, in words")
    what.add_argument("--file", help="what to look for, as a file of any modality")
    parser.add_argument("--top", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--ckpt", help="the student, where it is no longer where it was")
    return parser


if __name__ == "__main__":
    exit_on_user_error(main)

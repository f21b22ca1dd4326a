"""One modality's encoder as a program of torch.export: it runs without this code.

    python -m stage2_train.export_encoder --ckpt runs/demo/student --modality image --out image.pt2

    encode = torch.export.load("image.pt2").module()
    embeddings = encode(batch)      # float32 [B, embed_dim], as Student.encode gives them

A batch is what `Student.transform` makes of files, stacked, of any size B; of clouds the two
tensors (neighbourhoods, centres) of `group_points`, as `encode(neighbourhoods, centres)`.
"""

import argparse
from pathlib import Path

from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m stage2_train.export_encoder",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ckpt", required=True, help="folder of a student, or hf://ORG/NAME")
    parser.add_argument("--modality", required=True, help="one that it encodes")
    parser.add_argument("--out", required=True, type=Path, help="FILE.pt2")
    arguments = parser.parse_args()
    with importing():
        from stage2_train.student import Student
        from stage2_train.student.encoder_program import write_program

    write_program(Student.load(arguments.ckpt), arguments.modality, arguments.out)
    print(f"{arguments.out}: encodes {arguments.modality}")


if __name__ == "__main__":
    exit_on_user_error(main)

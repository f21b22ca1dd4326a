"""Use a trained student: which of some texts is a sample of any modality closest to?

    python examples/encode.py runs/demo/student points cloud.npy "a chair" "a lamp"
    python examples/encode.py runs/demo/student image chair.jpg "a chair" "a lamp"

Prints each text with its cosine similarity, the nearest first.
"""

import argparse
from pathlib import Path

import torch.nn.functional as F

from pipeline.config import ViewsConfig
from pipeline.errors import exit_on_user_error
from pipeline.samples import decode_member
from pipeline.views import EVALUATION, ViewMaker, chain_for
from stage2_train.student import Student
from stage2_train.student.inputs import stacked, student_input, tokenizer_input


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("student", help="folder of a trained student")
    parser.add_argument("modality", help="one that it encodes")
    parser.add_argument("file", type=Path, help="image, .mp4, .npy cloud [N, 3], or a recording")
    parser.add_argument("texts", nargs="+", help="what it may show")
    arguments = parser.parse_args()
    for text, similarity in ranked(
        arguments.student, arguments.modality, arguments.file, arguments.texts
    ):
        print(f"{similarity:7.3f}  {text}")


def ranked(folder: str, modality: str, file: Path, texts: list[str]) -> list[tuple[str, float]]:
    """Texts with their similarities to the file's content, the nearest first."""
    student = Student.load(folder)
    config = student.config
    sizes = ViewsConfig(
        image_size=student.openclip.image_size,
        video_frames=config.video.frames,
        audio_seconds=config.audio.seconds,
    )
    maker = ViewMaker(chain_for(modality, modality), 0, sizes)
    # A sample's member is named after its modality, with the file's own ending.
    sample = {f"{modality}{file.suffix}": file.read_bytes()}
    view = maker(decode_member(sample, modality), file.stem, EVALUATION).array
    batch = tokenizer_input(stacked([student_input(modality, view, config)]))
    embedding = F.normalize(student.encode(modality, batch), dim=-1)
    similarities = (embedding @ F.normalize(student.encode_text(texts), dim=-1).T)[0].tolist()
    return sorted(zip(texts, similarities), key=lambda pair: -pair[1])


if __name__ == "__main__":
    exit_on_user_error(main)

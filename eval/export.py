"""Embeddings of files, or of a prepared source, by a student: one file with what each belongs to.

    python -m eval.export --ckpt runs/demo/student --files 'photos/**/*.jpg' a.wav --out all.npz
    python -m eval.export --ckpt runs/demo/student --source objects --split test --out objects.npz

The content of a file says its modality. A 16-bit grey PNG is a depth map: give its sensor with
--baseline and --fx, or as JSON beside it (`e.json` of `e.png`). NPZ holds `vectors` [rows, dim],
`key`, `modality`, `label` and `notes` (JSON); a name that ends in .parquet makes a Parquet file of
the same. What cannot be encoded is told on stderr and in the notes; the others are written.
"""

import argparse
import sys
from glob import glob
from pathlib import Path

from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    with importing():
        from eval.embeddings import check_format, write
        from eval.exported import depth_sensor, exported_files, exported_source
        from pipeline.device import default_device
        from stage2_train.student import Student

    out = Path(arguments.out)
    check_format(out)
    student = Student.load(arguments.ckpt, device=default_device())
    if arguments.source:
        found = exported_source(
            student, arguments.ckpt, arguments.params, arguments.source, arguments.split
        )
    else:
        sensor = depth_sensor(arguments.baseline, arguments.fx, arguments.encoding)
        paths = expanded(arguments.files)
        found = exported_files(student, arguments.ckpt, paths, arguments.modality, sensor)
    for key, why in found.failed.items():
        print(f"{key}: {why}", file=sys.stderr)
    if not found.key:
        raise UserError(f"{out}: not written, none of {len(found.failed)} could be encoded")
    write(out, found)
    print(f"{out}: {len(found.key)} embeddings, {len(found.failed)} failed")


def expanded(patterns: list[str]) -> list[Path]:
    """Files of patterns such as `**/*.jpg`, each pattern's in the order of their names; what
    matches nothing stays, to be told of."""
    paths: list[Path] = []
    for pattern in patterns:
        matches = [] if Path(pattern).exists() else _matches(pattern)
        paths += [path for path in map(Path, matches) if not path.is_dir()] or [Path(pattern)]
    return paths


def _matches(pattern: str) -> list[str]:
    return sorted(glob(pattern, recursive=True))  # noqa: PTH207  a Path's takes no absolute ones


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ckpt", required=True, help="folder of a student, or hf://ORG/NAME")
    parser.add_argument("--out", required=True, help="FILE.npz or FILE.parquet")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--files", nargs="+", metavar="GLOB", help="files, or patterns of them")
    what.add_argument("--source", help="name under `sources` in the params file")
    parser.add_argument("--split", default="test", help="of the source; default: %(default)s")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    parser.add_argument("--modality", help="what all files are read as, say image for depth maps")
    parser.add_argument("--baseline", type=float, help="of depth maps' sensor, in metres")
    parser.add_argument("--fx", type=float, help="its focal length in pixels")
    parser.add_argument("--encoding", default="millimetres", help="default: %(default)s")
    return parser


if __name__ == "__main__":
    exit_on_user_error(main)

"""Prove that the stores of a teacher are intact and are what the teacher would give today.

    python -m stage1_extract.verify --teacher ulip                  checksums, and some rows live
    python -m stage1_extract.verify --teacher ulip --repair         and extract what is bad again

Checks every marker and checksum, then recomputes `--rows` random rows and a label text with the
teacher and compares. Exit code 1 if a tar is bad or missing, or a recomputed row's cosine is below
0.9999. `--repair` extracts bad tars again; where recomputed rows differ, the teacher has drifted
and the whole store is extracted anew.
"""

import argparse
import sys

from pipeline.argument_types import count
from pipeline.config import load_params
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing, keeping
from stage1_extract.pairs import select_extractions


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m stage1_extract.verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--teacher", required=True, help="name under `teachers`")
    parser.add_argument("--source", nargs="+", help="names under `sources`; default: all paired")
    parser.add_argument("--rows", type=count, default=8, help="rows to recompute (%(default)s)")
    parser.add_argument("--repair", action="store_true", help="extract bad tars again")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    names = select_extractions(params, [arguments.teacher], arguments.source)
    with importing():
        from stage1_extract.extractor import Extractor
        from stage1_extract.proof import repair, report, verify

    verdicts, extractor = [], Extractor(params)
    with keeping("tars that were extracted again are kept"):
        for name in names:
            extraction = extractor.extraction(name)
            verdict = verify(extraction, arguments.rows)
            if not verdict.good and arguments.repair:
                print(report(extraction, verdict) + "; repairing")
                repair(extraction, verdict)
                verdict = verify(extraction, arguments.rows)
            print(report(extraction, verdict))
            verdicts.append(verdict)
    sys.exit(0 if all(verdict.good for verdict in verdicts) else 1)


if __name__ == "__main__":
    exit_on_user_error(main)

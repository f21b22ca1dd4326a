"""One HTML page over a run: what was run, its scores and curves, and a gallery to search in.

    python -m eval.report --ckpt runs/demo/student

Writes <ckpt>/../report/index.html, which opens without a network. It shows what the stages before
have left; of a part that is missing it says which stage makes it.
"""

import argparse
import sys
from pathlib import Path

from pipeline.config import load_params
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ckpt", required=True, type=Path, help="folder of a portable student")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    with importing():
        from eval.report.contents import contents_of
        from eval.report.page import rendered
        from pipeline.atomic import write_atomically
        from stage2_train.student.portable import stored_card

    stored_card(arguments.ckpt)  # of no student at all there is nothing to report
    contents = contents_of(params, arguments.ckpt)
    out = arguments.ckpt.parent / "report" / "index.html"
    write_atomically(out, rendered(contents).encode())
    for part, why in contents.missing().items():
        print(f"{part} left out: {why}", file=sys.stderr)
    print(out)


if __name__ == "__main__":
    exit_on_user_error(main)

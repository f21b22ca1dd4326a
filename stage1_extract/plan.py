"""What an extraction will take, before anything runs: rows, bytes, licences and hours.

    python -m stage1_extract.plan                            every pair under `extract`
    python -m stage1_extract.plan --teacher ulip --warm-up   and how long it will take here

Rows are those of the prepared source, or else `samples` of its config. Bytes are those on disk,
digests included. `--warm-up` loads each teacher and runs it for some seconds
over the first samples of its source, decoding and augmentation included; hours are those of one
worker on such a machine, and fewer where several teachers share the decoding.
"""

import argparse

from rich.console import Console

from pipeline.commands import prepare_command
from pipeline.config import load_params
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing
from stage1_extract.pairs import select_extractions


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m stage1_extract.plan",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--teacher", nargs="+", help="names under `teachers`; default: all paired")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    parser.add_argument("--warm-up", action="store_true", help="run the teachers for some seconds")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    teachers = arguments.teacher or dict.fromkeys(p.teacher for p in params.extract.values())
    names = select_extractions(params, list(teachers), None)
    with importing():
        from stage1_extract.estimate import licences, plan_table, planned
        from stage1_extract.extractor import Extractor

    extractor = Extractor(params) if arguments.warm_up else None
    plan = [planned(params, name, extractor) for name in names]
    Console().print(plan_table(plan))
    print(licences(plan))
    for source in dict.fromkeys(params.extract[each.name].source for each in plan if not each.rows):
        print(
            f"{source} is not prepared; run: {prepare_command(source)}, "
            f"or say how many samples to expect in sources.{source}.samples"
        )


if __name__ == "__main__":
    exit_on_user_error(main)

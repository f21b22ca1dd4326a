"""Pictures of samples, one each: as it is stored, its evaluation view, and its K seeded views.

    python -m pipeline.show --source objects --key chair-12     this one
    python -m pipeline.show --source objects                    some
    python -m pipeline.show --source objects --list             their keys, and no picture

A row for each of its members that a model reads (a cloud and its paired image, say); under every
view the 64-bit digests of its drawn parameters and of its content, as the feature stores hold them.
"""

import argparse
from itertools import islice
from pathlib import Path

from pipeline.config import load_params
from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import importing
from pipeline.unknown_name import unknown_name

SOME = 3
"""Pictures without `--key`."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.show",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--source", required=True, help="name under `sources` in the params file")
    parser.add_argument("--key", help="of the sample; default: the first of the shuffled tars")
    parser.add_argument("--list", action="store_true", help="print every key, and stop")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    parser.add_argument("--out", help="of --key; default: runs/show/SOURCE/KEY.png")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    if arguments.source not in params.sources:
        raise unknown_name("source", arguments.source, params.sources)
    if arguments.out and not arguments.key:
        raise UserError("--out is the picture of one sample: name it with --key, see --list")
    with importing():
        from pipeline.sample_picture import keys, show

    if arguments.list:
        for key in keys(params, arguments.source):
            print(key)
        return
    some = [arguments.key] if arguments.key else islice(keys(params, arguments.source), SOME)
    for key in some:
        out = Path(arguments.out or f"runs/show/{arguments.source}/{key}.png")
        print(show(params, arguments.source, key, out))


if __name__ == "__main__":
    exit_on_user_error(main)

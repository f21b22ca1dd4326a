"""One picture of a sample: as it is stored, its evaluation view, and its K seeded views.

    python -m pipeline.show --source objects --key chair-12 [--params FILE] [--out FILE.png]

A row for each of its members that a model reads (a cloud and its paired image, say); under every
view the 64-bit digests of its drawn parameters and of its content, as the feature stores hold them.
"""

import argparse
from pathlib import Path

from pipeline.config import load_params
from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing
from pipeline.unknown_name import unknown_name


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.show",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--source", required=True, help="name under `sources` in the params file")
    parser.add_argument("--key", required=True, help="key of the sample")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    parser.add_argument("--out", help="default: runs/show/SOURCE/KEY.png")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    if arguments.source not in params.sources:
        raise unknown_name("source", arguments.source, params.sources)
    out = Path(arguments.out or f"runs/show/{arguments.source}/{arguments.key}.png")
    with importing():
        from pipeline.sample_picture import show

    print(show(params, arguments.source, arguments.key, out))


if __name__ == "__main__":
    exit_on_user_error(main)

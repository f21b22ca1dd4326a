"""Retrieval from any modality to any other, both ways: R@1, 5 and 10, median rank and mAP.

    python -m eval.retrieval --ckpt S --from text --to video --benchmark msrvtt
    python -m eval.retrieval --ckpt S --from image --to points --source objects --split test
    python -m eval.retrieval --ckpt S --from audio --to video --source vggsound vggsound-video

Media are found by those of the same sample: its own paired image, or in a second source (that of
--to) the sample of the same key. A text finds the samples that it is a caption of, or in a source
without captions those of the label. Unreadable samples are left out and told. Prints a table, and
writes <ckpt>/../retrieval/NAME/FROM-TO.json.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from eval.splits import chosen_split
from pipeline.config import Params, load_params
from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import importing
from pipeline.unknown_name import unknown_name

if TYPE_CHECKING:
    from eval.paired import Place

MODALITIES = ("text", "image", "video", "points", "depth", "audio")


def main() -> None:
    """Command line."""
    arguments = _arguments()
    params = load_params(arguments.params)
    query, gallery = arguments.query, arguments.gallery
    if query == gallery:
        raise UserError(f"--from {query} --to {gallery}: expected two modalities")
    with importing():
        from rich.console import Console

        from eval.paired import encode_pairs
        from eval.retrieval_table import both_ways, retrieval_table
        from pipeline.atomic import write_atomically
        from pipeline.device import default_device
        from stage2_train.student import Student

    name, places = _places(params, arguments)
    student = Student.load(arguments.ckpt, device=default_device())
    sides, counts = encode_pairs(params, student, dict(zip((query, gallery), places)))
    found = both_ways(sides, query, gallery)
    file = arguments.ckpt.parent / "retrieval" / name / f"{query}-{gallery}.json"
    write_atomically(file, json.dumps({**counts, **found}, indent=1).encode() + b"\n")
    Console(width=100).print(retrieval_table(name, found))


def _places(params: Params, arguments: argparse.Namespace) -> tuple[str, list["Place"]]:
    """A name for the files, and where the samples of either side are."""
    from eval.paired import Place
    from eval.protocol import protocol_of

    if arguments.benchmark:
        if arguments.benchmark not in params.benchmarks:
            raise unknown_name("benchmark", arguments.benchmark, params.benchmarks)
        benchmark = params.benchmarks[arguments.benchmark]
        windows = protocol_of(benchmark).windows
        return arguments.benchmark, [Place(benchmark.source, benchmark.split, windows)] * 2
    sources = arguments.source
    if len(sources) > 2:
        raise UserError(f"--source {' '.join(sources)}: expected one, or one of each side")
    places = [
        Place(source, chosen_split(params, source, arguments.split, "--split"))
        for source in sources
    ]
    return "-".join([*sources, places[0].split]), [places[0], places[-1]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval.retrieval",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ckpt", required=True, type=Path, help="folder of a portable student")
    parser.add_argument("--from", required=True, dest="query", choices=MODALITIES, help="queries")
    parser.add_argument("--to", required=True, dest="gallery", choices=MODALITIES, help="found")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--benchmark", help="name under `benchmarks`")
    where.add_argument("--source", nargs="+", help="name under `sources`, or one of each side")
    parser.add_argument("--split", help="of the source; default: the first not named train...")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    exit_on_user_error(main)

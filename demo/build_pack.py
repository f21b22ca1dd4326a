"""Make the embedded data pack from three public packages, the same bytes on every run.

    python -m demo.build_pack                  # fetch the packages (apt-get, npm), write demo/pack
    python -m demo.build_pack --raw DIR        # DIR holds them unpacked: deb/ and package/

Takes about 15 minutes of processor time, and needs the `demo` extra (`pip install -e .[demo]`)
and FluidSynth (`apt-get install libfluidsynth3`).
Another machine may give other bytes: of 3,280 renders, 82 came out differently on a second one.
Objects that cannot be read are listed with the reason in build.json; the rest is still written.
"""

import argparse
import tempfile
from pathlib import Path

from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.build_pack",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--raw", type=Path, help="folder of the unpacked packages")
    parser.add_argument("--out", type=Path, default=Path("demo/pack"))
    arguments = parser.parse_args()
    with importing():
        from demo.pack_files import build
        from demo.sources import fetch, locate

    if arguments.raw:
        build(locate(arguments.raw), arguments.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        build(fetch(Path(folder)), arguments.out)


if __name__ == "__main__":
    exit_on_user_error(main)

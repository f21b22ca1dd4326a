"""What preparation costs, what its options are worth to views, and two workers over one.

    python -m benchmarks.prepare

First, decoding and views of one core from bytes, before and after a source's options: 10 s of H.264
with FFmpeg's default keyframes (8 frames at stride 8), 10 s of 44.1 kHz FLAC, a 1000 x 750 JPEG,
a depth map of 640 x 480. Rounds of both sides alternate, and the best of each
counts. Then conversion beside plainly tarring the same files. All that is this process's own time
on one thread, so that other programs do not count. Two dask workers over one, whose tars are
compared with those of one process, are wall time, and take two idle cores: the seconds until every
worker has made its first tar, importing and listing among them, then samples a second from there
on. About four minutes.
"""

import argparse

from pipeline.errors import exit_on_user_error
from pipeline.interruption import importing


def main() -> None:
    """Command line."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.prepare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    with importing():
        from benchmarks.preparation_rates import measure

    measure()


if __name__ == "__main__":
    exit_on_user_error(main)

"""The two exceptions of the project, for the person at the keyboard and for one bad sample, and
what a command makes of them."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.commands import same_command
from pipeline.interruption import EXIT_CODE, end_at_once

_LONGEST = 4000
"""Characters of a message; of a longer one the middle is left out."""
_CREDENTIALS = re.compile(r"(?<=://)(?:[^\s/@:]+:(?!\d+/)\S+|[^\s/@]+)@")
_QUERY = re.compile(r"(://[^\s?]*\?)[^\s=]*=\S+")
_CLIENTS = {"aiobotocore", "aiohttp", "botocore", "fsspec", "s3fs"}
"""Packages through which URLs are read."""
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class UserError(ValueError):
    """A mistake in the input; its one-line text names the file or key and the way out.

    What a file or an address brings into the text can neither break the line, nor steer the
    terminal, nor show the secrets of a URL.
    """

    def __init__(self, text: str) -> None:
        super().__init__(_one_line(_without_secrets(_shortened(text))))


class UnreadableSample(ValueError):
    """A sample that cannot be used; the text says which member and why."""


def exit_on_user_error(main: Callable[[], None]) -> None:
    """Run a command: what its user can mend becomes one line on stderr, never a traceback.

    A `UserError`, a file that the system cannot read or write, or a server that does not answer
    ends it with exit code 1; Ctrl-C with 130; a reader of its output that goes away (`| head`) with
    141, without a word. What is left are mistakes in the program, which keep their traceback.
    """
    # Also where a shell has a command in the background ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with _servers_told():
            _print_all_of(main)
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt as stop:
        signal.signal(signal.SIGINT, end_at_once)  # threads may take a while to end
        kept = f"; {stop}" if stop.args else ""
        print(f"stopped by Ctrl-C{kept}; to go on, run: {same_command()}", file=sys.stderr)
        sys.exit(EXIT_CODE)
    except OSError as error:
        lost_output = _lost_output()
        if isinstance(error, BrokenPipeError) and lost_output:
            sys.exit(128 + signal.SIGPIPE)
        if error.strerror is None or isinstance(error, BrokenPipeError):
            raise
        where = error.filename or ("standard output" if lost_output else None)
        why = "a file, expected a folder" if isinstance(error, FileExistsError) else error.strerror
        told = f"{where}: {why}" if where else why
        sys.exit(f"error: {told}; mend that, and run: {same_command()}")


@contextmanager
def _servers_told() -> Iterator[None]:
    """What is behind a URL may be gone at any time; its clients have exceptions of their own."""
    try:
        yield
    except Exception as error:
        modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
        if modules.isdisjoint(_CLIENTS):
            raise
        raise UserError(
            f"{type(error).__name__}: {error}; check the network and the server, and run: "
            f"{same_command()}"
        ) from error


def _print_all_of(main: Callable[[], None]) -> None:
    """Run it until its output is delivered; Python's exit would be too late for an error."""
    try:
        main()
    except SystemExit:
        sys.stdout.flush()
        raise
    sys.stdout.flush()


def _lost_output() -> bool:
    """Whether stdout takes no more; what is left in it is dropped, or Python's exit would fail."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _shortened(text: str) -> str:
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]} ... {text[-half:]}"


def _without_secrets(text: str) -> str:
    """`s3://KEY:SECRET@bucket` as `s3://***@bucket`, and likewise what a URL asks with."""
    return _QUERY.sub(r"\1***", _CREDENTIALS.sub("***@", text))


def _one_line(text: str) -> str:
    lines = " ".join(text.splitlines())
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), lines)

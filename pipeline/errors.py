"""The two exceptions of the project: for the person at the keyboard, and for one bad sample."""

import re
import sys
from collections.abc import Callable

_LONGEST = 4000
"""Characters of a message; of a longer one the middle is left out."""
_CREDENTIALS = re.compile(r"(?<=://)(?:[^\s/@:]+:(?!\d+/)\S+|[^\s/@]+)@")
_QUERY = re.compile(r"(://[^\s?]*\?)[^\s=]*=\S+")
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
    """Run `main`; a `UserError` becomes one line on stderr and exit code 1, never a traceback."""
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")


def _shortened(text: str) -> str:
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]} ... {text[-half:]}"


def _without_secrets(text: str) -> str:
    """`s3://KEY:SECRET@bucket` as `s3://***@bucket`, and likewise what a URL asks with."""
    return _QUERY.sub(r"\1***", _CREDENTIALS.sub("***@", text))


def _one_line(text: str) -> str:
    lines = " ".join(text.splitlines())
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), lines)

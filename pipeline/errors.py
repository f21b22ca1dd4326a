"""The two exceptions of the project: for the person at the keyboard, and for one bad sample."""

import sys
from collections.abc import Callable


class UserError(ValueError):
    """A mistake in the input; its one-line text names the file or key and the way out."""


class UnreadableSample(ValueError):
    """A sample that cannot be used; the text says which member and why."""


def exit_on_user_error(main: Callable[[], None]) -> None:
    """Run `main`; a `UserError` becomes one line on stderr and exit code 1, never a traceback."""
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")

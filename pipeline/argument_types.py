"""Numbers on the command line: argparse calls these with a text, and says why it is none."""

from argparse import ArgumentTypeError


def whole_number(text: str) -> int:
    """0 or more."""
    if not (text.isascii() and text.isdecimal()):
        raise ArgumentTypeError(f"expected a whole number, found {text}")
    return int(text)


def count(text: str) -> int:
    """1 or more."""
    number = whole_number(text)
    if number < 1:
        raise ArgumentTypeError(f"expected 1 or more, found {text}")
    return number


def seconds(text: str) -> float:
    """More than 0."""
    try:
        number = float(text)
    except ValueError:
        raise ArgumentTypeError(f"expected a number of seconds, found {text}") from None
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"expected more than 0 seconds, found {text}")
    return number

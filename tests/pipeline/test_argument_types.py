"""Numbers on the command line."""

from argparse import ArgumentParser

import pytest

from pipeline.argument_types import count, seconds, whole_number


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        (whole_number, "two", "expected a whole number, found two"),
        (whole_number, "-1", "expected a whole number, found -1"),
        (whole_number, "1.5", "expected a whole number, found 1.5"),
        (count, "two", "expected a whole number, found two"),
        (count, "0", "expected 1 or more, found 0"),
        (seconds, "soon", "expected a number of seconds, found soon"),
        (seconds, "nan", "expected more than 0 seconds, found nan"),
    ],
)
def test_what_is_no_such_number_is_told_in_words(kind, text: str, why: str, capsys) -> None:
    parser = ArgumentParser()
    parser.add_argument("--amount", type=kind)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--amount={text}"])
    assert f"argument --amount: {why}\n" in capsys.readouterr().err


def test_numbers_are_numbers() -> None:
    assert (whole_number("0"), count("12"), seconds("0.5")) == (0, 12, 0.5)

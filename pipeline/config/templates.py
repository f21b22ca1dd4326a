"""Prompt templates as settings: a name, a list of one's own, or a file of them."""

from collections.abc import Sequence

Prompts = str | tuple[str, ...]
"""A name in pipeline/prompts.py or the path of a text file, or the templates themselves."""


def check_templates(where: str, texts: Sequence[str]) -> None:
    """Check that each template takes one name.

    Raises:
        ValueError: there are none, or one has not `{}` exactly once, or other braces.
    """
    if not texts:
        raise ValueError(f"{where}: expected a template such as 'a photo of a {{}}.', found none")
    for text in texts:
        if text.count("{}") != 1 or text.count("{") + text.count("}") != 2:
            raise ValueError(f"{where}: expected one {{}} for the name, found {text!r}")

"""docs/params.md says every setting, as the code has it."""

from pathlib import Path

from pipeline.config_reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "params.md"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == reference(), (
        "run: python -m pipeline.config_reference > docs/params.md"
    )


def test_types_and_defaults_are_in_words() -> None:
    page = reference()
    assert "| `accumulate` | whole number | `1` |" in page
    assert "| `weights` | text or text by name or null | `null` |" in page
    assert "## train.objectives\n" in page
    assert "## sources.NAME\n" in page

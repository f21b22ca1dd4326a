"""What of a recipe would be refused when its training starts, hours after the first command."""

from collections.abc import Iterator

from pipeline.config import Params
from pipeline.doctor.finding import Finding


def recipe(params: Params) -> Iterator[Finding]:
    """Whether what the student is to encode is trained."""
    untrained, every = params.untrained, ", ".join(params.student.modalities)
    if untrained:
        text = (
            f"no source of train.sources trains {', '.join(untrained)}; add one of each, or leave "
            "it out of student.modalities"
        )
        yield Finding("recipe", "student.modalities", "wrong", text)
    else:
        yield Finding("recipe", "student.modalities", "there", f"{every}, each trained by a source")

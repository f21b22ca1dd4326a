"""Which split of a source a command takes: the one named, or the first of the wanted kind."""

from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.unknown_name import unknown_name


def chosen_split(
    params: Params, source: str, named: str | None, flag: str, *, training: bool = False
) -> str:
    """The split named by `flag`; by default the first that is called train..., or that is not.

    Raises:
        UserError: there is no such source or split.
    """
    if source not in params.sources:
        raise unknown_name("source", source, params.sources)
    splits = params.sources[source].splits
    if named is not None and named not in splits:
        raise unknown_name(f"split of {source}", named, splits)
    for split in splits:
        if split == named or (named is None and split.startswith("train") == training):
            return split
    raise UserError(
        f"sources.{source} has the splits {', '.join(splits)} alone; name one with {flag}, or add "
        "one there"
    )

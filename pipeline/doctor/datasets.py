"""The raw downloads: listed by their own converters, none of their media opened."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import TypeVar

from pipeline.config import Params, SourceConfig
from pipeline.doctor.finding import Finding, State
from pipeline.errors import UserError
from pipeline.preparation.listing import converter, read_raw
from pipeline.preparation.official import lacking, remarks

LISTING_SECONDS = 60.0
"""For all splits of a source; folders of millions of files behind a network take longer."""
Result = TypeVar("Result")


def datasets(params: Params) -> Iterator[Finding]:
    """A finding for each source.

    Raises:
        UserError: a source names a converter that there is not.
    """
    for name, source in params.sources.items():
        yield Finding("dataset", name, *_found(name, source))


def _found(name: str, source: SourceConfig) -> tuple[State, str]:
    module, raw = converter(source.converter), Path(source.raw)
    if not raw.exists() or raw.is_dir() and not any(raw.iterdir()):
        return "missing", f"{raw}: {_origin(module)}"
    try:
        counts = _within(LISTING_SECONDS, lambda: _counts(name, source, raw))
    except TimeoutError:
        return "there", f"{raw}: listing it takes over {LISTING_SECONDS:.0f} s, so not counted"
    except UserError as error:
        return "wrong", f"{error}\n{_layout(module)}"
    except OSError as error:
        return "wrong", f"{error.filename or raw}: {error.strerror}"
    return "there", f"{raw}: {', '.join(counts)}"


def _counts(name: str, source: SourceConfig, raw: Path) -> list[str]:
    """Of each split its name and samples; raises UserError as the preparation would."""
    return [_count(name, source, raw, split) for split in source.splits]


def _count(name: str, source: SourceConfig, raw: Path, split: str) -> str:
    listed = read_raw(source, raw, split)
    remarks(name, split, source, listed)
    expected = lacking(split, source, listed)
    return f"{split} {len(listed.items):,}" + (f" of {expected:,}" if expected else "")


def _within(seconds: float, work: Callable[[], Result]) -> Result:
    """What `work` returns or raises; TimeoutError where it takes longer, and it goes on unheard."""
    future: Future[Result] = Future()

    def settle() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=settle, daemon=True).start()
    return future.result(seconds)


def _origin(module: ModuleType) -> str:
    if not hasattr(module, "HOME"):
        return "data of your own, expected there"
    return f"get it from {module.HOME} ({module.SIZE}; {module.LICENCE})"


def _layout(module: ModuleType) -> str:
    """The picture of the folder in a converter's docstring."""
    parts = (module.__doc__ or "").split("\n\n")
    pictures = [part for part in parts if part.startswith("    ")]
    where = f"expected, by pipeline/datasets/{module.__name__.rpartition('.')[2]}.py"
    return "\n".join([f"{where}:", *pictures[:1]])

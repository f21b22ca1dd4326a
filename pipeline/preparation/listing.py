"""The samples of a raw split, in the order and the tars that the seed gives them."""

import importlib
from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from types import ModuleType

from pipeline.config import SourceConfig
from pipeline.datasets import RawDataset
from pipeline.errors import UserError
from pipeline.preparation.shard_task import ShardTask
from pipeline.unknown_name import unknown_name

OWN_DATA = ("image_folder", "csv", "webdataset", "huggingface")
"""Converters of nobody's dataset in particular."""
_CONVERTERS = Path(__file__).parents[1] / "datasets"


def read_raw(source: SourceConfig, raw: Path, split: str) -> RawDataset:
    """List a raw split through the source's converter in pipeline/datasets/.

    Raises:
        UserError: no raw data, no such converter, no samples of that split, or a key twice.
    """
    module = converter(source.converter)
    if not raw.is_dir():
        raise UserError(
            f"{raw}: raw data not found; download the dataset there or name its folder with --raw"
        )
    if hasattr(module, "Settings"):
        dataset = module.read(raw, split, source)
    elif source.settings:
        raise UserError(f"settings {source.settings}: converter '{source.converter}' has none")
    else:
        dataset = module.read(raw, split)
    _check_listing(dataset, source, raw, split)
    return dataset


def converter(name: str) -> ModuleType:
    """A file of pipeline/datasets/ that reads a dataset's official layout.

    Raises:
        UserError: there is none of that name.
    """
    there = sorted(path.stem for path in _CONVERTERS.glob("*.py") if _reads(path))
    if name not in there:
        official = [each for each in there if each not in OWN_DATA]
        own = f"for data of your own: {', '.join(OWN_DATA)}; of a dataset's official layout"
        raise unknown_name("converter", name, there, f"{own}: {', '.join(official)}")
    return importlib.import_module(f"pipeline.datasets.{name}")


def shard_tasks(keys: Iterable[str], seed: int, samples_per_shard: int) -> list[ShardTask]:
    """A task for each tar: its candidates are fixed before any of them is read.

    The order depends on the seed and the keys alone, not on the listing.
    """
    shuffled = sorted(keys, key=lambda key: blake2b(f"{seed}/{key}".encode()).digest())
    starts = range(0, len(shuffled), samples_per_shard)
    return [
        ShardTask(f"{number:06d}.tar", tuple(shuffled[start : start + samples_per_shard]))
        for number, start in enumerate(starts)
    ]


def _reads(module: Path) -> bool:
    """Whether a file of pipeline/datasets/ is a converter, told without importing them all."""
    return "\ndef read(" in module.read_text()


def _check_listing(dataset: RawDataset, source: SourceConfig, raw: Path, split: str) -> None:
    """A key that two samples share would join the features of one to the other."""
    if not dataset.items:
        drawn = ", or raise settings.held_out where splits are drawn"
        more = drawn if source.converter in OWN_DATA else ""
        raise UserError(
            f"{raw}: no samples of split '{split}'; check `splits` in the params file{more}"
        )
    key, times = Counter(item.key for item in dataset.items).most_common(1)[0]
    if times > 1:
        raise UserError(
            f"{raw}: split '{split}' has {times} samples with the key '{key}'; keys must be "
            "unique: mend the raw data or the converter"
        )

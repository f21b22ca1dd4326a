"""Turn a dataset's official layout into WebDataset shards.

    python -m pipeline.prepare --source NAME [--raw DIR] [--params FILE]

Writes <shards>/<source>/<split>/ with tars, index.json and rejected.jsonl. Samples are shuffled
once by the run seed. An unreadable sample is never lost silently: it goes to rejected.jsonl with
the reason, and more than `max_rejected` of them stop the conversion.
"""

import argparse
import importlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp

from rich.console import Console
from rich.progress import track

from pipeline.atomic import naming
from pipeline.config import Params, SourceConfig, load_params
from pipeline.datasets import RawDataset, RawItem
from pipeline.decoding.reasons import one_line
from pipeline.errors import UserError, exit_on_user_error
from pipeline.interruption import keeping
from pipeline.places import is_remote, place, publish, remove
from pipeline.samples import UnreadableSample, check_member, decode_text
from pipeline.shards import FORMAT, INDEX, ShardIndex, ShardInfo, write_index, write_shard
from pipeline.unknown_name import unknown_name


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.prepare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--source", required=True, help="name under `sources` in the params file")
    parser.add_argument("--raw", help="folder of the raw download, instead of the params file's")
    parser.add_argument("--params", default="params.yaml", help="default: %(default)s")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    if arguments.source not in params.sources:
        raise unknown_name("source", arguments.source, params.sources)
    source = params.sources[arguments.source]
    with keeping("finished splits are kept"):
        for split in source.splits:
            prepare(params, arguments.source, split, Path(arguments.raw or source.raw))


def prepare(params: Params, name: str, split: str, raw: Path) -> ShardIndex:
    """Convert one split; the finished folder replaces an older one in a single step.

    Behind a URL its files are put one after the other, the index last.
    """
    source = params.sources[name]
    dataset = read_raw(source, raw, split)
    _check_listing(dataset, raw, split)
    final = place(params.shards) / name / split
    folder = Path(mkdtemp()) if is_remote(final) else final.with_name(f"{split}.partial")
    remove(folder)
    folder.mkdir(parents=True)
    rejected: list[dict[str, str]] = []
    with _dropped_if_cut_short(folder):
        index = _convert(params, name, split, dataset, folder, rejected)
        write_index(folder, index)
    _report(final, folder, rejected, len(dataset.items), source.max_rejected)
    if is_remote(final):
        publish(folder, final, last=INDEX)
        remove(folder)
    else:
        _replace_folder(folder, final)
    written = f"{index.samples} samples in {len(index.shards)} shards"
    print(f"{final}: {written}, {len(rejected)} rejected")
    return index


def _convert(
    params: Params,
    name: str,
    split: str,
    dataset: RawDataset,
    folder: Path,
    rejected: list[dict[str, str]],
) -> ShardIndex:
    """Write the tars of a split into a folder; what is unreadable goes to `rejected`."""
    source = params.sources[name]
    captions: set[str] = set()
    samples = _readable(_shuffled(dataset.items, params.seed), dataset, rejected, captions)
    shards: list[ShardInfo] = []
    while chunk := list(islice(samples, source.samples_per_shard)):
        shards.append(write_shard(folder / f"{len(shards):06d}.tar", chunk))
    return ShardIndex(
        format=FORMAT, dataset=name, split=split, modality=source.modality,
        classes=dataset.classes, captions=sorted(captions), licence=dataset.licence,
        samples_per_shard=source.samples_per_shard, shards=shards,
        recipe={"converter": source.converter, "seed": params.seed},
    )  # fmt: skip


def read_raw(source: SourceConfig, raw: Path, split: str) -> RawDataset:
    """List a raw split through the source's converter in pipeline/datasets/."""
    if not raw.is_dir():
        raise UserError(
            f"{raw}: raw data not found; download the dataset there or name its folder with --raw"
        )
    there = sorted(path.stem for path in _CONVERTERS.glob("*.py") if _reads(path))
    if source.converter not in there:
        raise unknown_name("converter", source.converter, there)
    return importlib.import_module(f"pipeline.datasets.{source.converter}").read(raw, split)


_CONVERTERS = Path(__file__).parent / "datasets"


def _reads(module: Path) -> bool:
    """Whether a file of pipeline/datasets/ is a converter, told without importing them all."""
    return "\ndef read(" in module.read_text()


def _check_listing(dataset: RawDataset, raw: Path, split: str) -> None:
    """A key that two samples share would join the features of one to the other."""
    if not dataset.items:
        raise UserError(f"{raw}: no samples of split '{split}'; check `splits` in the params file")
    key, times = Counter(item.key for item in dataset.items).most_common(1)[0]
    if times > 1:
        raise UserError(
            f"{raw}: split '{split}' has {times} samples with the key '{key}'; keys must be "
            "unique: mend the raw data or the converter"
        )


def _shuffled(items: list[RawItem], seed: int) -> list[RawItem]:
    """A random order that depends on the seed and the keys alone, not on the listing."""
    return sorted(items, key=lambda item: blake2b(f"{seed}/{item.key}".encode()).digest())


def _readable(
    items: Iterable[RawItem],
    dataset: RawDataset,
    rejected: list[dict[str, str]],
    captions: set[str],
) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Read every item and decode what will be decoded later; the others go to `rejected`.

    A converter that is simply wrong rejects all of them, and `max_rejected` stops it.
    """
    console = Console(stderr=True)
    for item in track(items, "samples", console=console, disable=not console.is_terminal):
        try:
            members = item.read()
            for member in dataset.members:
                check_member(members, member)
            text = decode_text(members)
            _check_labels(text.labels, dataset.classes)
            captions.update(text.label_texts)
        except (UserError, MemoryError):
            raise
        except UnreadableSample as error:
            rejected.append({"key": item.key, "reason": str(error)})
        except Exception as error:  # whatever a converter raises over one file's content
            reason = one_line(f"{type(error).__name__}: {error}")
            rejected.append({"key": item.key, "reason": reason})
        else:
            yield item.key, members


def _check_labels(labels: tuple[int, ...], classes: list[str]) -> None:
    if max(labels, default=-1) >= len(classes):
        raise UnreadableSample(f"meta.json: label {max(labels)}, but {len(classes)} classes")


@contextmanager
def _dropped_if_cut_short(folder: Path) -> Iterator[None]:
    """Leave no half of a folder behind Ctrl-C or on a full disk."""
    try:
        with naming(folder):
            yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _replace_folder(folder: Path, final: Path) -> None:
    """Put a finished folder in an older one's place; the old one goes only when the new stands."""
    old = final.with_name(f"{final.name}.old.partial")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.replace(old)
    folder.replace(final)
    shutil.rmtree(old, ignore_errors=True)


def _report(
    final: Path, folder: Path, rejected: list[dict[str, str]], total: int, limit: float
) -> None:
    """Write rejected.jsonl; stop, with that file kept, where too many were rejected."""
    lines = "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in rejected)
    (folder / "rejected.jsonl").write_text(lines)
    if len(rejected) > limit * total or len(rejected) == total:
        raise UserError(
            f"{folder}/rejected.jsonl: {len(rejected)} of {total} samples are unreadable, "
            f"max_rejected is {limit}; first: {rejected[0]['key']}: {rejected[0]['reason']}; "
            f"mend the raw data or raise max_rejected ({final} was left as it was)"
        )


if __name__ == "__main__":
    exit_on_user_error(main)

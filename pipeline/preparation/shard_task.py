"""The unit of work: the candidates of one tar, read, checked, stored as the source has them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config import SourceConfig
from pipeline.datasets import RawDataset, RawItem
from pipeline.decoding.reasons import one_line
from pipeline.errors import UnreadableSample, UserError
from pipeline.locations import filled
from pipeline.samples import check_member, decode_text
from pipeline.shards import ShardInfo, write_shard
from pipeline.transcoding import transcoded


@dataclass(frozen=True)
class ShardTask:
    """One tar and its candidates: the rejected ones leave it short."""

    tar: str
    """Its name."""
    keys: tuple[str, ...]
    """Of the samples that are to be in it, in their order."""


@dataclass
class ShardDone:
    """What became of a task."""

    shard: ShardInfo | None = None
    """None where no candidate is readable: there is no tar then."""
    rejected: list[dict[str, str]] = field(default_factory=list)
    """Key and reason of the others, in the order of the candidates."""
    captions: list[str] = field(default_factory=list)
    """Sorted captions of samples without a label."""
    resumed: bool = False
    """An earlier run did it."""

    @property
    def candidates(self) -> int:
        """Samples that the task had."""
        return (self.shard.count if self.shard else 0) + len(self.rejected)


@dataclass(frozen=True)
class ListedSplit:
    """A listed split, and how its samples are to be stored."""

    source: SourceConfig
    dataset: RawDataset
    items: Mapping[str, RawItem]
    """By key."""


def listed_split(source: SourceConfig, dataset: RawDataset) -> ListedSplit:
    """A listed split by the keys of its samples."""
    return ListedSplit(source, dataset, {item.key: item for item in dataset.items})


def convert_shard(
    split: ListedSplit, folder: Path, task: ShardTask, on_sample: Callable[[], None]
) -> ShardDone:
    """Write a tar into a folder, or none where no candidate is readable.

    A converter that is simply wrong rejects all of them, and `max_rejected` stops it.

    Raises:
        UserError: what is no fault of one sample.
    """
    done, captions = ShardDone(), set[str]()
    samples: list[tuple[str, dict[str, bytes]]] = []
    for key in task.keys:
        try:
            members = _stored(split, split.items[key], captions)
        except (UserError, MemoryError):
            raise
        except UnreadableSample as error:
            done.rejected.append({"key": key, "reason": str(error)})
        except Exception as error:  # whatever a converter raises over one file's content
            reason = one_line(f"{type(error).__name__}: {error}")
            done.rejected.append({"key": key, "reason": reason})
        else:
            samples.append((key, members))
        on_sample()
    done.captions = sorted(captions)
    if samples:
        with filled(folder) as local:
            done.shard = write_shard(local / task.tar, samples)
    return done


def _stored(split: ListedSplit, item: RawItem, captions: set[str]) -> dict[str, bytes]:
    """Members of a sample as they go into its tar, all that will be decoded later decoded once."""
    members = item.read()
    _check_members(split, members)
    text = decode_text(members)
    _check_labels(text.labels, split.dataset.classes)
    stored = transcoded(members, split.source)
    if stored is not members:
        _check_members(split, stored)
    captions.update(text.label_texts)
    return stored


def _check_members(split: ListedSplit, members: dict[str, bytes]) -> None:
    for member in split.dataset.members:
        check_member(members, member)


def _check_labels(labels: tuple[int, ...], classes: list[str]) -> None:
    if max(labels, default=-1) >= len(classes):
        raise UnreadableSample(f"meta.json: label {max(labels)}, but {len(classes)} classes")

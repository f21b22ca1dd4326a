"""The held-out items that the page shows: which, what they look like, where the student puts them.

Of every modality `MOST` items of the benchmarks' splits, the splits sharing them evenly. Of a split
every class has as many as another, as far as it has them; among a class's samples the hash of their
keys decides. Only the first `CANDIDATES` samples of a split are looked at: tars are shuffled.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from eval.report.media import Medium, medium
from eval.report.missing import Missing, found
from pipeline.config import Params
from pipeline.errors import UnreadableSample
from pipeline.locations import path_or_url
from pipeline.samples import SampleText, decode_member, decode_text
from pipeline.shards import ShardIndex, read_index, read_shard
from stage2_train.student import Student

MOST = 60
"""Items of a modality."""
CANDIDATES = 1000


@dataclass(frozen=True)
class Item:
    """A held-out sample."""

    modality: str
    source: str
    key: str
    label: str
    """`class_name` of its first class; empty where it has none."""
    caption: str
    """Its first; empty where it has none."""
    medium: Medium


@dataclass(frozen=True)
class HeldOut:
    """Items beside what the student makes of them."""

    items: list[Item]
    embeddings: Tensor
    """Float32 [items, dim], normalised, on the CPU."""
    use: dict[str, Tensor]
    """Modality -> float32 [routers, experts that it sees]: share of its items' choices."""
    left_out: dict[str, Missing]
    """Source -> why none of its items is here."""

    @property
    def modalities(self) -> list[str]:
        """Those that there are items of, in order."""
        return list(dict.fromkeys(item.modality for item in self.items))

    def rows(self, modality: str) -> list[int]:
        """Places of a modality's items."""
        return [row for row, item in enumerate(self.items) if item.modality == modality]

    def labels(self, modality: str) -> list[str]:
        """Names of a modality's classes, sorted."""
        return sorted({self.items[row].label for row in self.rows(modality)} - {""})


def held_out(params: Params, student: Student) -> HeldOut:
    """Choose, show and encode the items of every modality that the student has."""
    items, use, left_out = list[Item](), dict[str, Tensor](), dict[str, Missing]()
    embeddings = [torch.empty(0, student.openclip.embed_dim)]
    for modality, splits in _splits(params, student.config.modalities).items():
        inputs = list[Tensor]()
        for source, split in splits:
            folder, most = path_or_url(params.shards) / source / split, MOST // len(splits) or 1
            pairs = found(partial(_of_split, student, folder, source, most))
            if isinstance(pairs, Missing):
                left_out[source] = pairs
                continue
            items += [item for item, _ in pairs]
            inputs += [made for _, made in pairs]
        if inputs:
            encoded, use[modality] = _encoded(student, modality, torch.stack(inputs))
            embeddings.append(encoded)
    return HeldOut(items, torch.cat(embeddings), use, left_out)


def _splits(params: Params, modalities: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Modality -> (source, split) of its benchmarks, in the modalities' order."""
    found: dict[str, list[tuple[str, str]]] = {modality: [] for modality in modalities}
    for benchmark in params.benchmarks.values():
        splits = found.get(params.sources[benchmark.source].modality, [])
        if (benchmark.source, benchmark.split) not in splits:
            splits.append((benchmark.source, benchmark.split))
    return {modality: splits for modality, splits in found.items() if splits}


def _of_split(student: Student, folder: Path, source: str, most: int) -> list[tuple[Item, Tensor]]:
    """Items of a split beside their parts of a batch; unreadable samples are left out."""
    index = read_index(folder)
    transform = student.transform(index.modality)
    labels = dict(_labels(folder, index))
    wanted, pairs = set(chosen(labels, most)), []
    for key, members in islice(_samples(folder, index), CANDIDATES):
        if key not in wanted:
            continue
        with suppress(UnreadableSample):
            text, decoded = decode_text(members), decode_member(members, index.modality)
            made, shown = transform(decoded), medium(index.modality, decoded)
            caption = next(iter(text.captions), "")
            item = Item(index.modality, source, key, labels[key], caption, shown)
            pairs.append((item, made))
    return pairs


def _labels(folder: Path, index: ShardIndex) -> Iterator[tuple[str, str]]:
    """(key, label) of the candidates that say what they are."""
    for key, members in islice(_samples(folder, index), CANDIDATES):
        try:
            yield key, _label(index, decode_text(members))
        except UnreadableSample:
            continue


def _label(index: ShardIndex, text: SampleText) -> str:
    words = dict(enumerate(index.words))
    return class_name(words.get(text.labels[0], "")) if text.labels else ""


def class_name(word: str) -> str:
    """By which classes of several sources are the same: `Night_Stand` is `night stand`."""
    return " ".join(word.casefold().replace("_", " ").split())


def _samples(folder: Path, index: ShardIndex) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    for shard in index.shards:
        yield from read_shard(folder, shard)


def chosen(labels: Mapping[str, str], most: int) -> list[str]:
    """Keys of a split's items: each class's first, then each one's second, and so on.

    Args:
        labels: key -> label, empty where a sample has none.
        most: keys to choose.
    """
    queues = defaultdict[str, list[str]](list)
    for key in sorted(labels, key=_draw):
        queues[labels[key]].append(key)
    turns = {key: turn for queue in queues.values() for turn, key in enumerate(queue)}
    return sorted(turns, key=lambda key: (turns[key], _draw(key)))[:most]


def _draw(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=8).digest()


@torch.no_grad()
def _encoded(student: Student, modality: str, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings normalised, and the experts' use, of at most `MOST` items at once."""
    output = student(modality, batch.to(student.openclip.device))
    return normalize(output.embedding.float(), dim=-1).cpu(), output.use.cpu()

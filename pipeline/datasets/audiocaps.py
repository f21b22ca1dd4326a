"""AudioCaps: 10-second clips of AudioSet, each of the test set with five captions.

    test.csv                            audiocap_id, youtube_id, start_time, caption
    retrieval_test.csv                  perhaps; the same columns
    test_without_vggsound.txt           perhaps; see below
    vggsound.csv                        perhaps; VGGSound's own table
    .../<clip>.wav|flac|m4a|mp3|...     as of AudioSet

From github.com/cdjkim/audiocaps, version 1. `test` is its whole list, `test-without-vggsound` what
the paper scores: 813 clips that are not in VGGSound. ViT-Lens has them of retrieval_test.csv in
AudioCaps_retrieval_dataset.tar.gz (Oncescu et al., 2021), which needs no test.csv. In its place may
be a file of your own (a YouTube id or clip name a line), which goes before it, or vggsound.csv: the
clips of test.csv whose YouTube id does not stand there. How many clips either names, and whether
they are the paper's, nobody has checked; another number than 813 is refused unless `samples` of the
source says it.
"""

from collections.abc import Set
from functools import partial
from pathlib import Path

from pipeline.datasets import RawDataset, RawItem, known_split, noted
from pipeline.datasets.reading.folders import folder_with
from pipeline.datasets.reading.labels import described
from pipeline.datasets.reading.media import SOUNDS, sound
from pipeline.datasets.reading.tables import read_lines, read_table
from pipeline.datasets.reading.youtube import ClipFiles, clip_key, clip_name, second, ten_seconds
from pipeline.errors import UserError

LICENCE = "MIT (the captions); the clips are their uploaders'"
HOME = (
    "github.com/cdjkim/audiocaps, and retrieval_test.csv from www.robots.ox.ac.uk/~vgg/research/"
    "audio-retrieval; clips from YouTube"
)
SIZE = "about 0.2 GB as FLAC at 16 kHz"
SAMPLES = {"test": 975, "test-without-vggsound": 813}
"""The dataset's paper, and the supplement's section 3.1."""
CAPTIONS = 5
LIST, VGGSOUND = "test_without_vggsound.txt", "vggsound.csv"
TABLE, PUBLISHED = "test.csv", "retrieval_test.csv"


def read(raw: Path, split: str) -> RawDataset:
    """List the clips of a split that are there, with all their captions."""
    known_split(split, *SAMPLES)
    table = _table(raw, split)
    captions = _captions(table)
    files = ClipFiles(raw, SOUNDS)
    notes = noted(
        f"clips have another number of captions than {CAPTIONS}",
        [clip_key(*name) for name, texts in captions.items() if len(texts) != CAPTIONS],
    )
    if split != "test" and table.name == TABLE:
        kept = _without_vggsound(raw, {identifier for identifier, _ in captions})
        captions = {name: texts for name, texts in captions.items() if name[0] in kept}

    def members(path: Path, identifier: str, start: int) -> dict[str, bytes]:
        texts = captions[identifier, start]
        return {**ten_seconds(sound(path)), **described(identifier, captions=texts, start=start)}

    found = {name: files.find(*name) for name in captions}
    items = [
        RawItem(clip_key(*name), partial(members, path, *name))
        for name, path in found.items()
        if path
    ]
    lacking = [clip_key(*name) for name, path in found.items() if path is None]
    notes += files.notes + noted(f"clips of {table.name} are not there", lacking)
    return RawDataset(items, [], ("audio",), LICENCE, SAMPLES[split], True, notes=notes)


def _table(raw: Path, split: str) -> Path:
    """test.csv, or of the split without VGGSound's clips the list that was published of it."""
    own, published = (folder_with(raw, name) / name for name in (LIST, PUBLISHED))
    if split != "test" and published.is_file() and not own.is_file():
        return published
    return folder_with(raw, TABLE) / TABLE


def _captions(table: Path) -> dict[tuple[str, int], list[str]]:
    """Captions of each clip, in the order of the table."""
    captions: dict[tuple[str, int], list[str]] = {}
    for identifier, start, caption in read_table(table, ("youtube_id", "start_time", "caption")):
        captions.setdefault((identifier, second(table, start)), []).append(caption)
    return captions


def _without_vggsound(raw: Path, known: Set[str]) -> Set[str]:
    """YouTube ids of the clips that are not in VGGSound."""
    own, vggsound = (folder_with(raw, name) / name for name in (LIST, VGGSOUND))
    if own.is_file():
        return known & _listed(own, known)
    if vggsound.is_file():
        columns = ("id", "start", "label", "split")
        return known - {row[0] for row in read_table(vggsound, ("id",), header=columns)}
    raise UserError(
        f"{raw}: the split test-without-vggsound needs {PUBLISHED}, its published table, {LIST}, "
        f"a list of its clips, or VGGSound's own {VGGSOUND}; put one there, or have "
        "`splits: [test]`"
    )


def _listed(path: Path, known: Set[str]) -> set[str]:
    names = {line: clip_name(line) for line in read_lines(path)}
    strange = [line for line, name in names.items() if name is None or name[0] not in known]
    if strange:
        raise UserError(
            f"{path}: {len(strange)} lines are no clips of test.csv, the first is "
            f"{strange[0]!r}; expected a YouTube id or a clip's name a line"
        )
    return {name[0] for name in names.values() if name}

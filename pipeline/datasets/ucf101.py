"""UCF101: 13,320 clips of 101 human actions, in three official ways to split them.

    UCF-101/<Class>/v_<Class>_g<group>_c<clip>.avi
    ucfTrainTestlist/classInd.txt                     1 ApplyEyeMakeup
    ucfTrainTestlist/trainlist01.txt (02, 03)         ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1
    ucfTrainTestlist/testlist01.txt (02, 03)          ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi

From www.crcv.ucf.edu/data/UCF101.php. Splits are train01, test01 and so on; what others call the
validation split is test01. Scripts of MMAction2 and PaddleVideo unpack the same into videos/ and
annotations/.
"""

import re
from functools import partial
from pathlib import Path, PurePosixPath

from pipeline.datasets import RawDataset, RawItem, key_of, known_split, noted
from pipeline.datasets.reading.folders import folder_with, list_files
from pipeline.datasets.reading.labels import Labels, described
from pipeline.datasets.reading.media import CLIPS, clip
from pipeline.datasets.reading.tables import read_lines
from pipeline.errors import UserError

LICENCE = "none given; the clips are their uploaders'"
HOME = "www.crcv.ucf.edu/data/UCF101.php: UCF101.rar and its split lists"
SIZE = "about 7 GB"
SAMPLES = {
    "train01": 9537, "test01": 3783,
    "train02": 9586, "test02": 3734,
    "train03": 9624, "test03": 3696,
}  # fmt: skip
"""Lines of the lists."""
CLASSES = 101
LISTS, VIDEOS = ("ucfTrainTestlist", "annotations"), ("UCF-101", "videos")
"""Names of the two folders: the archives' own, and those of download scripts."""
OTHER_WORDS = {"HandstandPushups": "hand stand pushups"}
"""The one class that CLIP's authors do not part at its capitals (data/prompts.md)."""


def read(raw: Path, split: str) -> RawDataset:
    """List a split; prompts have CLIP's words of a class: `apply eye makeup`."""
    known_split(split, *SAMPLES)
    lists, videos = _either(raw, LISTS), _either(raw, VIDEOS)
    classes = _classes(lists / "classInd.txt")
    labels = Labels(classes)
    wanted = _wanted(lists / f"{split[:-2]}list{split[-2:]}.txt")
    files = list_files(videos, CLIPS).files
    there = {_clip(path.as_posix()): path for path in reversed(files)}

    def members(name: str) -> dict[str, bytes]:
        label = labels.number(PurePosixPath(name).parent.name)
        return {**clip(there[_clip(name)]), **described(name, [label])}

    items = [
        RawItem(key_of(PurePosixPath(name).stem), partial(members, name))
        for name in wanted
        if _clip(name) in there
    ]
    notes = noted("clips of the list are not there", [n for n in wanted if _clip(n) not in there])
    is_test = split.startswith("test")
    words = [_words(name) for name in classes]
    return RawDataset(items, classes, ("video",), LICENCE, SAMPLES[split], is_test, words, notes)


def _either(raw: Path, names: tuple[str, str]) -> Path:
    """The folder of one of the names; of the first where there is none."""
    paths = [folder_with(raw, name) / name for name in names]
    return next((path for path in paths if path.is_dir()), paths[0])


def _classes(path: Path) -> list[str]:
    """Names in the order of their numbers, 1 to 101."""
    numbered = [line.split() for line in read_lines(path)]
    numbers = [line[0] for line in numbered if len(line) == 2]
    if numbers != [str(number) for number in range(1, CLASSES + 1)]:
        raise UserError(
            f"{path}: expected {CLASSES} lines of a number and a class, in order; found "
            f"{len(numbers)} of {len(numbered)} lines such; put the dataset's own file there"
        )
    return [line[1] for line in numbered]


def _wanted(path: Path) -> list[str]:
    """`<Class>/<clip>.avi` of each line, once."""
    return list(dict.fromkeys(line.split()[0] for line in read_lines(path)))


def _clip(name: str) -> str:
    """A clip's class and name as they are compared: in any container, with any capitals."""
    return "/".join(PurePosixPath(name).with_suffix("").parts[-2:]).lower()


def _words(name: str) -> str:
    """`ApplyEyeMakeup` as `apply eye makeup`."""
    parted = " ".join(re.findall(r"[A-Z][^A-Z]*|^[^A-Z]+", name)).lower()
    return OTHER_WORDS.get(name, parted)

"""Miniatures of the benchmarks' official layouts, for scoring: a few samples each."""

from pathlib import Path

import pytest

from pipeline.datasets import audiocaps, audioset, esc50, msrvtt, ucf101
from tests.made_media import clip
from tests.made_members import audio_bytes, hum
from tests.pipeline.datasets import test_esc50
from tests.pipeline.datasets.conversions import put
from tests.pipeline.datasets.made_films import film
from tests.pipeline.datasets.test_audioset import CLASSES as AUDIO_CLASSES
from tests.pipeline.datasets.test_audioset import HEAD
from tests.pipeline.datasets.test_cloud_datasets import scanned, text_release
from tests.pipeline.datasets.test_imagenet import flat
from tests.pipeline.datasets.test_msrvtt import TABLE as SENTENCES
from tests.pipeline.datasets.test_rooms import frames, rooms, split_of

IDS = ("aaaaaaaaaaa", "bbbbbbbbbbb", "ccccccccccc")
SOUNDS = [audio_bytes(hum(seconds, seed=n), container="FLAC")
          for n, seconds in enumerate((0.7, 2.0, 0.3))]  # fmt: skip


def imagenet(root: Path, patch: pytest.MonkeyPatch) -> None:
    flat(root, "2\n1\n")


def modelnet40(root: Path, patch: pytest.MonkeyPatch) -> None:
    text_release(root, "night_stand_0201\nxbox_0104\n")


def scanobjectnn(root: Path, patch: pytest.MonkeyPatch) -> None:
    scanned(root, [14.0, 0.0])


def sunrgbd(root: Path, patch: pytest.MonkeyPatch) -> None:
    rooms(root, {}, {"kv1/NYUdata/NYU0001": "living_room", "xtion/a/b": "office"})


def nyud(root: Path, patch: pytest.MonkeyPatch) -> None:
    split_of(frames(root / "raw"), [1, 3])


def audioset_clips(root: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(audioset, "CLASSES", 2)
    labels = ("/m/09x0r,/m/05zppz", "/m/09x0r", "/m/05zppz")
    rows = [f'{name}, 30.0, 40.0, "{mids}"\n' for name, mids in zip(IDS, labels)]
    put(root / "raw", {
        "class_labels_indices.csv": AUDIO_CLASSES, "eval_segments.csv": HEAD + "".join(rows),
        **{f"{name}_30.flac": sound for name, sound in zip(IDS, SOUNDS)},
    })  # fmt: skip


def vggsound_clips(root: Path, patch: pytest.MonkeyPatch) -> None:
    rows = [f"{name},{n},{label},test\n" for n, (name, label) in enumerate(zip(IDS, "aba"))]
    films = {f"{name}_{n:06d}.mp4": film(seconds=0.4 + n) for n, name in enumerate(IDS)}
    put(root / "raw", {"vggsound.csv": "".join(rows), **films})


def esc50_sounds(root: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(esc50, "CLASSES", 3)
    test_esc50.make(root)


def audiocaps_clips(root: Path, patch: pytest.MonkeyPatch) -> None:
    assert audiocaps.CAPTIONS == 5
    rows = [f"{n},{name},30,sound {name} {n}\n" for n in range(5) for name in IDS]
    put(root / "raw", {
        "test.csv": "audiocap_id,youtube_id,start_time,caption\n" + "".join(rows),
        "test_without_vggsound.txt": "\n".join(IDS),
        **{f"{name}_30.flac": sound for name, sound in zip(IDS, SOUNDS)},
    })  # fmt: skip


def msrvtt_clips(root: Path, patch: pytest.MonkeyPatch) -> None:
    videos = {f"videos/all/video{n}.mp4": clip(6 + n % 2) for n in (9770, 9771)}
    put(root / "raw", {msrvtt.LIST: SENTENCES, **videos})


def ucf101_clips(root: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ucf101, "CLASSES", 2)
    names = ("TaiChi", "YoYo")
    paths = [f"{name}/v_{name}_g01_c01.avi" for name in names]
    put(root / "raw", {
        "ucfTrainTestlist/classInd.txt": "".join(f"{n} {a}\n" for n, a in enumerate(names, 1)),
        "ucfTrainTestlist/testlist01.txt": "\n".join(paths),
        **{f"UCF-101/{path}": clip(6, "avi", "mpeg4") for path in paths},
    })  # fmt: skip

"""AudioCaps in a miniature of its official layout, with and without VGGSound's clips."""

import json
from pathlib import Path

import pytest

from pipeline.datasets.audiocaps import read
from pipeline.errors import UserError
from tests.made_members import audio_bytes, hum
from tests.pipeline.datasets.conversions import converted, put

IDS = ("-aaaaaaaaaa", "bbbbbbbbbbb", "ccccccccccc")
SPLIT = "test-without-vggsound"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rows = [f'{n},{name},30,"A dog, number {n}"\n' for n in range(5) for name in IDS]
    flac = audio_bytes(hum(0.2), container="FLAC")
    table = "\ufeffaudiocap_id,youtube_id,start_time,caption\n" + "".join(rows)
    put(tmp_path / "raw", {"test.csv": table, **{f"test/{n}_30.flac": flac for n in IDS[:2]}})
    return tmp_path


def test_a_clip_has_all_its_captions(root: Path) -> None:
    index, samples = converted(root / "raw", "audiocaps", "audio", "test", samples={"test": 2})
    assert samples.keys() == {"Y-aaaaaaaaaa_000030", "Ybbbbbbbbbbb_000030"}
    captions = json.loads(samples["Ybbbbbbbbbbb_000030"]["text.json"])["captions"]
    assert captions == [f"A dog, number {n}" for n in range(5)]
    assert index.classes == []


def test_fewer_than_the_benchmark_has_are_refused(root: Path) -> None:
    with pytest.raises(UserError, match=r"2 of 975 samples .*1 clips .*: Yccccccccccc_000030"):
        converted(root / "raw", "audiocaps", "audio", "test")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("test_without_vggsound.txt", "bbbbbbbbbbb\n"),
        ("test_without_vggsound.txt", "Ybbbbbbbbbbb_30_40\n"),
        ("vggsound.csv", "-aaaaaaaaaa,30,dog barking,train\nzzzzzzzzzzz,30,dog barking,test\n"),
    ],
)
def test_clips_of_vggsound_are_left_out(root: Path, name: str, content: str) -> None:
    put(root / "raw", {name: content})
    listed = read(root / "raw", SPLIT)
    found = [item.key for item in listed.items if item.key != "Yccccccccccc_000030"]
    assert found == ["Ybbbbbbbbbbb_000030"]
    assert (listed.expected, listed.exact) == (813, True)


def test_the_published_table_is_the_list_and_needs_no_other(root: Path) -> None:
    raw = root / "raw"
    lines = (raw / "test.csv").read_text(encoding="utf-8-sig").splitlines(keepends=True)
    kept = "".join(line for line in lines if IDS[0] not in line)
    put(raw, {"AudioCaps_retrieval_dataset/retrieval_test.csv": kept})
    whole = read(raw, "test")
    (raw / "test.csv").unlink()
    _, samples = converted(raw, "audiocaps", "audio", SPLIT, samples={SPLIT: 1})
    assert samples.keys() == {"Ybbbbbbbbbbb_000030"}
    (members,) = samples.values()
    assert json.loads(members["text.json"])["captions"][4] == "A dog, number 4"
    assert len(whole.items) == 2
    assert read(raw, SPLIT).notes == (
        "1 clips of retrieval_test.csv are not there: Yccccccccccc_000030",
    )


def test_a_list_of_ones_own_goes_before_the_published_one(root: Path) -> None:
    put(root / "raw", {"test_without_vggsound.txt": f"{IDS[0]}\n", "retrieval_test.csv": ""})
    assert [item.key for item in read(root / "raw", SPLIT).items] == [f"Y{IDS[0]}_000030"]


def test_without_either_file_the_way_out_is_said(root: Path) -> None:
    with pytest.raises(
        UserError, match=r"needs retrieval_test.csv, .*_vggsound.txt, .* or .*vggsound.csv"
    ):
        read(root / "raw", SPLIT)


def test_a_list_of_other_clips_is_named(root: Path) -> None:
    put(root / "raw", {"test_without_vggsound.txt": "bbbbbbbbbbb\nddddddddddd\n"})
    with pytest.raises(UserError, match="1 lines are no clips of test.csv, .*'ddddddddddd'"):
        read(root / "raw", SPLIT)


def test_a_clip_with_another_number_of_captions_is_noted(root: Path) -> None:
    with (root / "raw/test.csv").open("a") as file:
        file.write("9,bbbbbbbbbbb,30,one more\n")
    expected = "1 clips have another number of captions than 5: Ybbbbbbbbbbb_000030"
    assert expected in read(root / "raw", "test").notes

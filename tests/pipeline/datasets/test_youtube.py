"""Clips by the names that download scripts give them."""

import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets import RawItem
from pipeline.datasets.reading.youtube import ClipFiles, clip_key, clip_name, second, ten_seconds
from pipeline.errors import UnreadableSample, UserError
from tests.made_members import audio_bytes, hum

SIGNS = string.ascii_letters + string.digits + "_-"
IDS = st.text(SIGNS, min_size=11, max_size=11)
STARTS = st.integers(0, 36000)


@settings(max_examples=30)
@given(IDS, STARTS, st.sampled_from(["", "Y"]))
def test_every_known_form_is_read(identifier: str, start: int, before: str) -> None:
    name = before + identifier
    forms = ["{n}_{s}", "{n}_{s:06d}", "{n}_{s}.000", "{n}_{s}_{e}", "{n}_{s}000_{e}000",
             "{n}_{s}.0-{e}.0"]  # fmt: skip
    read = {clip_name(form.format(n=name, s=start, e=start + 10)) for form in forms}
    assert read == {(identifier, start)}
    assert clip_name(name) == (identifier, None)


@settings(max_examples=30)
@given(IDS)
def test_a_prefix_of_a_script_is_no_part_of_the_id(identifier: str) -> None:
    assert clip_name(f"id_{identifier}") == (identifier, None)


def test_an_id_may_begin_as_the_prefix() -> None:
    assert clip_name("id_abcdefgh") == ("id_abcdefgh", None)
    assert clip_name("id_abcdefgh_000030") == ("id_abcdefgh", 30)


@pytest.mark.parametrize("stem", ["", "short", "._abcdefghijk", "abcdefghijk_x", "esc50 readme"])
def test_other_names_are_none(stem: str) -> None:
    assert clip_name(stem) is None


@settings(max_examples=30)
@given(IDS, STARTS)
def test_a_key_is_one_for_ids_that_begin_with_anything(identifier: str, start: int) -> None:
    assert RawItem(clip_key(identifier, start), dict).key == f"Y{identifier}_{start:06d}"


def test_a_clip_is_found_by_its_second_or_without_one(tmp_path: Path) -> None:
    for name in ("-abcdefghij_30.wav", "sub/-abcdefghij_30.FLAC", "__cdefghijk.mp3", "a.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    files = ClipFiles(tmp_path, (".flac", ".wav", ".mp3"))
    assert files.find("-abcdefghij", 30) == tmp_path / "sub" / "-abcdefghij_30.FLAC"
    assert files.find("-abcdefghij", 40) is None
    assert files.find("__cdefghijk", 7) == tmp_path / "__cdefghijk.mp3"
    assert files.notes == ("1 files are other copies of a clip and left out: -abcdefghij_30.wav",)


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "1e9", "٣"])
def test_a_table_without_a_second_is_named(text: str) -> None:
    with pytest.raises(UserError, match="^x.csv: expected the second that a clip starts at"):
        second(Path("x.csv"), text)


def test_a_whole_video_in_the_place_of_a_clip_is_refused() -> None:
    clip, video = ({"audio.wav": audio_bytes(hum(seconds, 8000), 8000)} for seconds in (10.2, 16))
    assert ten_seconds(clip) is clip
    with pytest.raises(UnreadableSample, match="16 s where a clip of ten is expected"):
        ten_seconds(video)

"""`pipeline.show`: one PNG a sample, for every modality, with the digests that the stores hold."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pipeline import drawing, show
from pipeline.config import Params, SourceConfig, ViewsConfig
from pipeline.drawing import COLUMNS
from pipeline.errors import UserError, exit_on_user_error
from pipeline.sample_picture import _words, find_sample, sample_rows
from pipeline.sample_picture import show as draw_sample
from pipeline.samples import decode_member
from pipeline.shards import FORMAT, ShardIndex, read_index, write_index, write_shard
from pipeline.views import EVALUATION, ViewMaker, chain_for
from tests.made_members import every_member
from tests.tiny_world import tiny_params

ROWS = {"image": 1, "video": 1, "points": 2, "depth": 2, "audio": 3}


def params_of(root: Path, modality: str, members: dict[str, bytes]) -> Params:
    """Params of a world with one source, `things`, of one sample, `thing-1`."""
    folder = root / "shards" / "things" / "train"
    folder.mkdir(parents=True)
    shard = write_shard(folder / "000000.tar", [("thing-1", members)])
    index = ShardIndex(
        format=FORMAT, dataset="things", split="train", modality=modality, classes=["ball"],
        captions=[], licence="none", recipe={}, samples_per_shard=1, shards=[shard],
    )  # fmt: skip
    write_index(folder, index)
    source = SourceConfig(modality=modality, converter="none", raw="none")
    params = tiny_params(root)
    views = ViewsConfig(count=2, image_size=32, points=64, audio_seconds=1.0)
    changes = {"shards": str(root / "shards"), "sources": {"things": source}, "views": views}
    for name, value in changes.items():  # a frozen dataclass that checks names across sections
        object.__setattr__(params, name, value)
    return params


@pytest.mark.parametrize("modality", ROWS)
def test_a_picture_has_a_line_for_every_member_that_is_read(modality: str, tmp_path: Path) -> None:
    params = params_of(tmp_path, modality, every_member())
    rows = sample_rows(params, modality, find_sample(params, "things", "thing-1"))
    assert len(rows) == ROWS[modality]
    assert all(list(row.views) == [EVALUATION, 0, 1] for row in rows)
    with Image.open(draw_sample(params, "things", "thing-1", tmp_path / "out.png")) as picture:
        assert picture.format == "PNG"
        assert picture.width == pytest.approx(100 * drawing.SIDE * COLUMNS, abs=2)
        assert len(set(picture.convert("L").tobytes())) > 20


def test_the_digests_are_those_of_the_views(tmp_path: Path) -> None:
    params = params_of(tmp_path, "depth", every_member())
    rows = sample_rows(params, "depth", find_sample(params, "things", "thing-1"))
    maker = ViewMaker(chain_for("depth", "depth"), params.seed, params.views)
    expected = maker(decode_member(every_member(), "depth"), "thing-1", 1)
    assert rows[0].views[1].content_digest == expected.content_digest
    captions = [cell[0] for line in drawing._lines(rows[0]) for cell in line if cell]
    assert f"params  {expected.params_digest:016x}" in captions[3]
    assert f"content {expected.content_digest:016x}" in captions[3]


def test_more_views_than_fit_go_on_in_the_next_line(tmp_path: Path) -> None:
    params = params_of(tmp_path, "image", every_member())
    object.__setattr__(params.views, "count", 9)
    row = sample_rows(params, "image", find_sample(params, "things", "thing-1"))[0]
    lines = list(drawing._lines(row))
    assert [sum(cell is not None for cell in line) for line in lines] == [6, 5]


def test_a_sample_without_its_pair_is_shown_alone(tmp_path: Path) -> None:
    members = {n: data for n, data in every_member().items() if not n.startswith(("im", "vi"))}
    params = params_of(tmp_path, "audio", members)
    found = find_sample(params, "things", "thing-1")
    assert [row.title for row in sample_rows(params, "audio", found)] == ["audio"]


def test_the_command_shows_a_prepared_object(
    prepared_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(show, "load_params", lambda path: tiny_params(prepared_world))
    out = str(tmp_path / "deep" / "object.png")
    command = ["show", "--source", "objects", "--key", "thing-02", "--out", out]
    monkeypatch.setattr(sys, "argv", command)
    show.main()
    assert capsys.readouterr().out == f"{out}\n"
    assert Path(out).stat().st_size > 10_000


@pytest.mark.parametrize(
    ("source", "key", "reason"),
    [
        ("objekts", "thing-02", "unknown source 'objekts'; did you mean 'objects'"),
        ("objects", "thing-2", "unknown key of objects 'thing-2'; did you mean 'thing-2"),
    ],
)
def test_an_unknown_name_is_one_line(
    source: str, key: str, reason: str, prepared_world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show, "load_params", lambda path: tiny_params(prepared_world))
    monkeypatch.setattr(sys, "argv", ["show", "--source", source, "--key", key])
    with pytest.raises(SystemExit, match=reason) as stopped:
        exit_on_user_error(show.main)
    assert "\n" not in str(stopped.value)


def test_a_class_name_is_no_mathematics_and_a_label_of_no_class_is_its_number(
    tmp_path: Path,
) -> None:
    members = every_member() | {"meta.json": b'{"labels": [0, 7]}'}
    params = params_of(tmp_path, "image", members)
    folder = tmp_path / "shards/things/train"
    write_index(folder, replace(read_index(folder), classes=["$unclosed{$"]))
    found = find_sample(params, "things", "thing-1")
    assert _words(found) == "($unclosed{$, label 7, of no class)"
    assert draw_sample(params, "things", "thing-1", tmp_path / "out.png").exists()


def test_an_unreadable_sample_says_why(tmp_path: Path) -> None:
    params = params_of(tmp_path, "video", {**every_member(), "video.mp4": b"nothing"})
    with pytest.raises(UserError, match="train/000000.tar: sample 'thing-1': video.mp4: damaged"):
        draw_sample(params, "things", "thing-1", tmp_path / "out.png")


def test_a_path_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    params = params_of(tmp_path, "image", every_member())
    with pytest.raises(UserError, match="cannot be written .*name a PNG file with --out"):
        draw_sample(params, "things", "thing-1", tmp_path)


def shown(monkeypatch: pytest.MonkeyPatch, world: Path, *arguments: str) -> None:
    monkeypatch.setattr(show, "load_params", lambda path: tiny_params(world))
    monkeypatch.setattr(sys, "argv", ["show", "--source", "objects", *arguments])
    exit_on_user_error(show.main)


def test_the_list_has_every_key_of_every_split(prepared_world, monkeypatch, capsys) -> None:
    shown(monkeypatch, prepared_world, "--list")
    listed = capsys.readouterr().out.splitlines()
    assert sorted(listed) == [f"thing-{number:02}" for number in range(24)]


def test_without_a_key_some_are_shown(prepared_world, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    shown(monkeypatch, prepared_world)
    drawn = capsys.readouterr().out.splitlines()
    assert len(set(drawn)) == show.SOME
    assert all(Path(file).parent == Path("runs/show/objects") for file in drawn)
    assert all(Path(file).is_file() for file in drawn)


def test_a_file_for_no_key_is_one_line(prepared_world, monkeypatch) -> None:
    with pytest.raises(SystemExit, match="error: --out is the picture of one sample: name it"):
        shown(monkeypatch, prepared_world, "--out", "x.png")


def test_masks_of_a_spectrogram_have_a_colour_of_their_own(tmp_path: Path) -> None:
    params = params_of(tmp_path, "audio", every_member())
    view = sample_rows(params, "audio", find_sample(params, "things", "thing-1"))[0].views[0].array
    masks = {"time_mask": (10, 20), "frequency_mask": (0, 0), "roll": 5}
    axes = Figure().subplots()
    drawing._draw_spectrogram(axes, replace(view, **masks))
    shown = axes.images[0].get_array()
    assert np.flatnonzero(shown.mask.all(axis=0)).tolist() == list(range(15, 35))
    assert shown.mask.sum() == 20 * 128

"""The page: one file with every section, that asks no network and that no text breaks out of."""

import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from msgspec import to_builtins

from eval.report import __main__ as command
from eval.report.contents import Contents, contents_of
from eval.report.page import gallery_data, rendered
from pipeline.errors import UserError
from tests.eval.report.made_run import HOSTILE, run_params

SECTIONS = (
    "gallery", "failures", "scores", "classes", "confusion", "curves", "experts", "run", "cache",
)  # fmt: skip
EMPTY = {"meta", "link", "img", "input", "br", "polyline", "path"}


class Elements(HTMLParser):
    """Start tags with their attributes; complains about tags that are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found, self._open = [], []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag, attrs) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag) -> None:
        if tag not in EMPTY:
            assert self._open.pop() == tag


def test_every_section_is_there_once_and_named_in_the_navigation(page: str) -> None:
    elements = Elements(page).found
    assert [a["id"] for tag, a in elements if tag == "section" and "id" in a] == list(SECTIONS)
    links = {a["href"] for tag, a in elements if tag == "a"}
    assert {f"#{name}" for name in SECTIONS} <= links


def test_nothing_is_fetched(page: str) -> None:
    for _, attributes in Elements(page).found:
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert re.findall(r"https?://", page) == []
    assert "url(" not in page.replace('"url(" + shown.src', "")
    metas = {a.get("http-equiv"): a.get("content") for _, a in Elements(page).found}
    assert metas["Content-Security-Policy"].startswith("default-src 'none'; img-src data:;")


def test_every_control_and_picture_has_a_name(page: str) -> None:
    elements = Elements(page).found
    labelled = {a["for"] for tag, a in elements if tag == "label"}
    assert {a["id"] for tag, a in elements if tag in ("input", "select")} <= labelled
    assert all(a.get("alt") for tag, a in elements if tag == "img")
    assert all(a.get("aria-label") for tag, a in elements if tag == "svg")


def test_scores_stand_beside_chance_and_teacher(page: str) -> None:
    cells = re.findall(r"<td>(?:<strong>)?([\d.]*)", page[page.index('id="scores"') :])
    assert cells[1:7] == ["6", "2", "50.0", "50.0", "75.0", "62.5"]


def test_a_hostile_class_name_stays_a_text(page: str) -> None:
    assert HOSTILE not in page
    assert "&lt;/script&gt;&lt;img src=x" in page
    assert "onerror" not in {name for _, each in Elements(page).found for name in each}


def test_a_hostile_caption_does_not_end_the_data(contents: Contents, monkeypatch) -> None:
    item = contents.gallery.held_out.items[0]
    monkeypatch.setitem(item.__dict__, "caption", f"<!-- {HOSTILE}")
    data = re.search(r'id="data">(.*?)</script>', rendered(contents))[1]
    assert json.loads(data)["items"][0]["caption"] == f"<!-- {HOSTILE}"


def test_the_page_is_the_same_each_time(cached_world: Path, finished_run: Path, page: str) -> None:
    assert rendered(contents_of(run_params(cached_world), finished_run)) == page


def test_every_query_has_neighbours_in_every_other_modality(contents: Contents) -> None:
    data = gallery_data(contents.gallery)
    assert len(data["near"]) == len(data["items"]) + len(data["texts"])
    for query, near in enumerate(data["near"]):
        own = data["items"][query]["modality"] if query < len(data["items"]) else None
        assert set(near) == set(data["modalities"]) - {own}


@pytest.mark.parametrize(
    ("part", "named", "command"),
    [
        ("run/zeroshot", "scores", "eval.zeroshot --ckpt"),
        ("run/curves.json", "curves", "stage2_train"),
        ("run/student", "gallery", "stage2_train"),
        ("world/shards/objects/test", "objects", "pipeline.prepare --source objects"),
        ("world/shards/objects/test", "objects/test", "pipeline.prepare --source objects"),
        ("world/cache/fake", "fake-objects", "stage1_extract --teacher fake --source objects"),
    ],
)
def test_a_missing_part_is_named_with_what_makes_it(
    part: str, named: str, command: str, world: Path, finished_run: Path
) -> None:
    shutil.copytree(finished_run.parent, world.parent / "run")
    gone = world.parent / part
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    found = contents_of(run_params(world), world.parent / "run/student")
    assert f"python -m {command}" in found.missing()[named]
    assert named.replace("_", " ") in rendered(found)
    assert Elements(rendered(found)).found


def test_damaged_tables_are_named(cached_world: Path, finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run.parent, tmp_path / "run")
    (run / "zeroshot/metrics.json").write_text("[]")
    (run / "zeroshot/per_class/points.csv").write_bytes(b"class,samples\n\xff")
    (run / "zeroshot/predictions/points.csv").write_text("a,b\n1,2\n")
    (run / "zeroshot/confusion/points.png").write_text("no picture")
    missing = contents_of(run_params(cached_world), run / "student").missing()
    assert {"scores", "per_class", "confusions", "matrices"} <= set(missing)
    assert all("eval.zeroshot" in missing[name] for name in ("scores", "matrices"))


def test_of_no_student_there_is_no_page(tmp_path: Path, monkeypatch) -> None:
    params = Path(__file__).parents[3] / "params.yaml"
    typed = ["report", "--ckpt", str(tmp_path / "run/wrong"), "--params", str(params)]
    monkeypatch.setattr(sys, "argv", typed)
    with pytest.raises(UserError, match=r"wrong/student\.json: no such file; expected the folder"):
        command.main()
    assert not list(tmp_path.iterdir())


def test_the_command_writes_the_page_beside_the_student(
    cached_world: Path, finished_run: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    run = shutil.copytree(finished_run.parent, tmp_path / "run")
    params = tmp_path / "params.yaml"
    params.write_text(yaml.safe_dump(to_builtins(run_params(cached_world))))
    typed = ["report", "--ckpt", str(run / "student"), "--params", str(params)]
    monkeypatch.setattr(sys, "argv", typed)
    command.main()
    out = run / "report/index.html"
    assert capsys.readouterr().out == f"{out}\n"
    assert out.read_text().startswith("<!doctype html>")

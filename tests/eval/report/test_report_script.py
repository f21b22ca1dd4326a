"""The gallery's script: in an engine over a stub of a browser, and in a browser where there is one.

The stub tells nothing of layout, sound or pixels: those are seen in a browser only.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from eval.report.page import FOLDER

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
DATA = {
    "modalities": ["image", "points", "audio"],
    "items": [
        {"modality": "image", "label": "chair", "key": "a", "source": "s", "caption": "a red chair",
         "medium": {"kind": "picture", "src": "data:image/webp;base64,"}},
        {"modality": "points", "label": "chair", "key": "b", "source": "s", "caption": "",
         "medium": {"kind": "points", "xyz": "gICAAID/"}},
        {"modality": "points", "label": "lamp", "key": "c", "source": "s", "caption": "",
         "medium": {"kind": "clip", "src": "data:x", "frames": 8, "width": 9, "height": 7}},
        {"modality": "audio", "label": "<b>tuba</b>", "key": "d", "source": "s", "caption": "",
         "medium": {"kind": "sound", "src": "data:audio/mpeg;base64,", "picture": "data:p"}},
        {"modality": "audio", "label": "", "key": "e", "source": "s", "caption": "a hum",
         "medium": {"kind": "text"}},
    ],
    "texts": [
        {"words": "Chair", "label": "chair", "kind": "class"},
        {"words": "a lamp on a chair", "label": "lamp", "kind": "caption"},
    ],
    "labels": {"image": ["chair"], "points": ["chair", "lamp"], "audio": ["<b>tuba</b>"]},
    "near": [
        {"points": [[2, 0.9], [1, 0.5]], "audio": [[3, 0.1], [4, 0]]},
        {"image": [[0, 0.5]], "audio": [[3, 0.2]]},
        {"image": [[0, 0.4]], "audio": [[3, 0.2]]},
        {"image": [[0, 0.3]], "points": [[1, 0.3]]},
        {"image": [[0, 0.2]], "points": [[1, 0.2]]},
        {"image": [[0, 0.8]], "points": [[1, 0.7], [2, 0.6]], "audio": [[3, -0.1]]},
        {"image": [[0, 0.8]], "points": [[2, 0.7], [1, 0.6]], "audio": [[3, -0.1]]},
    ],
}  # fmt: skip


class Page:
    """The script over the stub."""

    def __init__(self, address: str = "", still: bool = False) -> None:
        quickjs = pytest.importorskip("quickjs", reason='no engine: pip install -e ".[dev]"')
        self._context = quickjs.Context()
        self._context.eval(f"const stillness = {json.dumps(still)};")
        self._context.eval((Path(__file__).parent / "dom.js").read_text())
        self("figures.push(new Element('figure')); figures[0].dataset.item = 1; 0")
        self(f"document.getElementById('data').words = {json.dumps(json.dumps(DATA))}; 0")
        self(f"location.at = {json.dumps(address)}; 0")
        self._context.eval((FOLDER / "gallery.js").read_text())

    def __call__(self, script: str) -> Any:
        return json.loads(self._context.eval(f"JSON.stringify([eval({json.dumps(script)})])"))[0]

    def ask(self, words: str) -> str:
        """Type into the box and search; what the page says."""
        self(f"document.getElementById('words').value = {json.dumps(words)}; 0")
        self("document.getElementById('ask').fire('submit'); 0")
        return self.said

    @property
    def said(self) -> str:
        return self("document.getElementById('said').textContent")

    @property
    def cards(self) -> list[str]:
        return self("document.getElementById('found').all('li').map((card) => card.textContent)")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("chair", "Nearest to Chair"),
        ("  CHAIR ", "Nearest to Chair"),
        ("lamp", "Nearest to a lamp on a chair"),
        ("chair lamp", "Nearest to a lamp on a chair"),
        ("violin", "No class or caption has the words: violin"),
        ("", "No class or caption has the words: "),
    ],
)
def test_words_find_their_text_or_the_first_that_has_them_all(typed: str, said: str) -> None:
    assert Page().ask(typed) == said


def test_cosines_are_shown_and_wrong_ones_marked() -> None:
    page = Page()
    page.ask("chair")
    image, chair, lamp, tuba = page.cards
    assert "cosine 0.800" in image
    assert "\u2713 right" in chair
    assert "\u2717 wrong" in lamp
    assert "right" not in tuba
    assert "wrong" not in tuba
    headings = page("document.getElementById('found').all('h3').map((each) => each.words)")
    assert headings == ["image", "points", "audio (no class of that name)"]


def test_an_item_asks_the_other_modalities_and_is_chosen_in_the_list() -> None:
    page = Page()
    page("Object.assign(document.getElementById('item'), {value: '1'}).fire('change'); 0")
    assert page("location.hash") == "#query-1"
    assert page.said == "Nearest to points: chair"
    assert len(page.cards) == 2
    assert page("document.getElementById('item').value") == "1"
    assert page("document.getElementById('gallery').scrolled")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("#query-6", "a lamp on a chair"),
        ("#query-7", "image: chair"),
        ("#scores", "image: chair"),
        ("#query-x", "image: chair"),
    ],
)
def test_the_address_says_what_is_asked_for(address: str, said: str) -> None:
    assert Page(address).said == f"Nearest to {said}"


def test_texts_never_become_markup() -> None:
    page = Page("#query-3")
    assert page.said == "Nearest to audio: <b>tuba</b>"
    assert page("document.getElementById('query').all('b').length") == 0


def test_every_medium_has_a_name_and_figures_are_filled() -> None:
    page = Page("#query-0")
    assert page("figures[0].children[0].name") == "canvas"
    media = [f"document.getElementById('{place}')" for place in ("found", "query")]
    for where in media:
        made = f"['img', 'canvas', 'audio'].flatMap((name) => {where}.all(name))"
        names = page(f"{made}.map(({{attributes: a}}) => a.alt || a['aria-label'])")
        assert names
        assert all(names)


def test_a_cloud_turns_by_keys_and_by_itself_until_motion_is_paused() -> None:
    page = Page("#query-0", still=True)
    cloud = "document.getElementById('found').all('canvas')[0]"
    before = page(f"{cloud}.drawn")
    page("ticks.splice(0).forEach((work) => work()); 0")
    assert page(f"{cloud}.drawn") == before
    page(f"{cloud}.fire('keydown', {{key: 'ArrowLeft'}}); 0")
    turned = page(f"{cloud}.drawn")
    assert turned != before
    page("document.getElementById('motion').fire('click'); 0")
    page("ticks.splice(0).forEach((work) => work()); 0")
    assert page(f"{cloud}.drawn") != turned


def test_in_a_browser_the_page_finds_and_shows(page: str, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser here: looked for {', '.join(BROWSERS)}")
    (tmp_path / "index.html").write_text(page)
    typed = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000",
             "--dump-dom", f"file://{tmp_path}/index.html#query-1"]  # fmt: skip
    shown = subprocess.run(typed, capture_output=True, text=True, timeout=300).stdout
    found = shown[shown.index('id="found"') : shown.index("<noscript>")]
    assert found.count("<li") == 5
    assert "<canvas" in found
    assert "cosine" in found

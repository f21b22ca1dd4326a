"""The page in a real browser: its script, its media, its looks, by keys and on a phone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eval.report.contents import Contents, failures_of
from eval.report.page import rendered
from tests.eval.report.made_gallery import SECONDS, SHOWN, TUBA, made_gallery

FOUND = "document.querySelectorAll('#found li')"
CLOUD = "document.querySelector('#found canvas')"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


@pytest.fixture(scope="module")
def tab(contents: Contents, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """A tab with the page of a made gallery."""
    pytest.importorskip("selenium", reason='no selenium: pip install -e ".[dev]"')
    from tests.eval.report.browser import Tab, started

    gallery, folder = made_gallery(), tmp_path_factory.mktemp("browser")
    page = folder / "index.html"
    page.write_text(rendered(replace(contents, gallery=gallery, failures=failures_of(gallery))))
    with started(folder / "profile") as chrome:
        yield Tab(chrome, page)


@pytest.fixture(autouse=True)
def _quiet_console(tab) -> Iterator[None]:
    """Whatever a test does, the console says nothing."""
    tab.chrome.get_log("browser")
    yield
    assert tab.chrome.get_log("browser") == []


def test_a_clicked_item_shows_neighbours_of_the_other_modalities(tab) -> None:
    tab.open("#query-7")
    tab.click("#found .cards a")
    tab.wait("location.hash === '#query-0'")
    tab.wait("document.getElementById('said').textContent === 'Nearest to image: chair'")
    headings = ["points", "video (no class of that name)", "depth"]
    assert tab.texts("#found h3") == [*headings, "audio (no class of that name)"]
    assert tab(f"return [...{FOUND}].every((card) => card.checkVisibility())")
    assert tab("return document.getElementById('item').value") == "0"
    tab.chrome.back()
    tab.wait("document.getElementById('said').textContent === 'Nearest to audio: a hum'")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("chair", "Nearest to Chair"),
        ("  CHAIR ", "Nearest to Chair"),
        ("lamp chair", "Nearest to a lamp on a chair"),
        ("violin", "No class or caption has the words: violin"),
        ("", "No class or caption has the words:"),
    ],
)
def test_words_find_their_text_or_the_first_that_has_them_all(tab, typed: str, said: str) -> None:
    tab.open()
    assert tab.ask(typed) == said


def test_cosines_are_shown_and_wrong_ones_marked(tab) -> None:
    tab.open()
    tab.ask("chair")
    chair, lamp = tab.texts("#found .row:first-child li")
    assert "cosine 1.000" in chair
    assert "\u2713 right" in chair
    assert "\u2717 wrong" in lamp
    unmarked = tab.texts("#found .row:last-child li")
    assert not any(word in card for card in unmarked for word in ("right", "wrong"))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (f"#query-{len(SHOWN)}", "Chair"),
        ("#query-2", "points: chair"),
        ("#query-99", "image: chair"),
        ("#query-x", "image: chair"),
    ],
)
def test_the_address_says_what_is_asked_for(tab, address: str, said: str) -> None:
    tab.open(address)
    assert tab.texts("#said") == [f"Nearest to {said}"]


def test_texts_never_become_markup(tab) -> None:
    tab.open("#query-6")
    assert tab.texts("#said") == [f"Nearest to audio: {TUBA}"]
    assert tab("return document.querySelectorAll('#gallery b, #failures b').length") == 0


def test_every_medium_has_a_name_a_size_and_stands_in_the_failures_too(tab) -> None:
    tab.open()
    images = "[...document.querySelectorAll('img.medium')]"
    tab.wait(f"{images}.every((image) => image.complete)")
    assert tab(f"return {images}.every((image) => image.naturalWidth && image.alt)")
    media = "canvas, audio, [role=img]"
    assert tab(f"return [...document.querySelectorAll('{media}')].every((each) => each.ariaLabel)")
    figures = "return [...document.querySelectorAll('figure[data-item]')]"
    assert tab(f"{figures}.length") > 0
    assert tab(f"{figures}.every((each) => each.firstChild.offsetHeight > 40)")


def test_a_sound_plays(tab) -> None:
    tab.open()
    sound = "document.querySelector('#found audio')"
    tab(f"const sound = {sound}; sound.muted = true; sound.play()")
    tab.wait(f"{sound}.readyState >= 2 && {sound}.currentTime > 0.1")
    assert tab(f"return {sound}.duration") == pytest.approx(SECONDS, abs=0.2)
    assert tab(f"return {sound}.error") is None


def test_a_cloud_turns_by_itself_until_motion_is_paused_and_then_by_keys(tab) -> None:
    tab.open(still=False)
    tab(f"{CLOUD}.scrollIntoView(); window.first = {CLOUD}.toDataURL()")
    tab.wait(f"{CLOUD}.toDataURL() !== window.first")
    tab.click("#motion")
    assert tab("return document.body.matches('.still')")
    before = tab(f"{CLOUD}.focus(); return {CLOUD}.toDataURL()")
    tab.type("\ue012")  # left
    assert tab(f"return {CLOUD}.toDataURL()") != before


def test_the_keyboard_alone_reaches_the_gallery_asks_and_is_seen_to(tab) -> None:
    tab.open()
    tab("document.body.tabIndex = -1; document.body.focus()")
    tab.type("\ue004")  # tab
    focus = "const at = document.activeElement, box = at.getBoundingClientRect();"
    skip = tab(f"{focus} return [at.textContent, box.left, getComputedStyle(at).outlineStyle]")
    assert skip[0] == "Skip to the gallery"
    assert skip[1] >= 0
    assert skip[2] == "solid"
    tab.type("\ue007")  # enter
    tab.wait("location.hash === '#gallery'")
    tab.type("\ue004")
    assert tab("return document.activeElement.id") == "words"
    tab.type("lamp\ue007")
    tab.wait("document.getElementById('said').textContent === 'Nearest to lamp'")


@pytest.mark.parametrize("dark", [False, True])
def test_texts_stand_out_from_their_ground_as_wcag_aa_asks(tab, dark: bool) -> None:
    tab.open(dark=dark)
    tab("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    paper = tab("return getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") != dark
    assert tab(CONTRAST) == []


@pytest.mark.parametrize("dark", [False, True])
def test_a_still_cloud_is_drawn_in_the_texts_colour(tab, dark: bool) -> None:
    tab.open(dark=dark)
    draw = f"const canvas = {CLOUD}, all = canvas.getContext('2d')"
    pixels = tab(f"{draw}.getImageData(0, 0, 256, 256).data; return [...all].filter((v, n) => "
                 "n % 4 === 0 && all[n + 3] > 200)")  # fmt: skip
    assert pixels
    assert (min(pixels) > 150) == dark


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_scrolls_sideways(tab, width: int) -> None:
    tab.open(width=width)
    tab("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert tab("return document.documentElement.scrollWidth") <= width

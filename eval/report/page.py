"""The page: one HTML file that opens without a network, its style, script and media within it."""

import json
from pathlib import Path
from typing import Any

import msgspec
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from eval.report import curves, failures, held_out, recipe
from eval.report.contents import Contents, Gallery
from eval.report.missing import Missing
from eval.report.recipe import Store
from eval.report.scores import Row

FOLDER = Path(__file__).parent
CAUSES = {
    "similar": "Labels that are similar, yet mean something else",
    "gap": "No label that means the same",
    "fine": "Looks alike, means something else",
    "other": "None of the three",
}


def rendered(contents: Contents) -> str:
    """The page's HTML."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.tests["missing"] = lambda part: isinstance(part, Missing)
    environment.globals["zip"] = zip
    environment.filters |= {"percent": _percent, "size": _size, "number": _number}
    environment.filters["seconds"] = lambda known: _number(known) or "not recorded"
    gallery = contents.gallery
    return environment.get_template("page.html").render(
        contents=contents, params=_yaml(contents), versions=recipe.versions(), causes=CAUSES,
        mutual=failures.MUTUAL, most=held_out.MOST, candidates=held_out.CANDIDATES,
        plane=(curves.WIDTH, curves.HEIGHT),
        total=sum(store.bytes for store in contents.stores.values() if isinstance(store, Store)),
        published=any(
            name.startswith("published") for row in _rows(contents) for name in row.scores
        ),
        data="" if isinstance(gallery, Missing) else _script_data(gallery_data(gallery)),
        style=_own("page.css"), script=_own("gallery.js"),
    )  # fmt: skip


def _rows(contents: Contents) -> list[Row]:
    return [] if isinstance(contents.scores, Missing) else contents.scores


def gallery_data(gallery: Gallery) -> dict[str, Any]:
    """What gallery.js takes: items, texts, and by query (items, then texts) what is near to it."""
    shown, modalities = gallery.held_out, gallery.held_out.modalities
    return {
        "modalities": modalities,
        "items": [msgspec.to_builtins(item) for item in shown.items],
        "texts": [msgspec.to_builtins(text) for text in gallery.texts.texts],
        "labels": {name: shown.labels(name) for name in modalities},
        "near": [
            {name: [[row, round(cosine, 3)] for row, cosine in near] for name, near in each.items()}
            for each in gallery.near
        ],
    }


def _script_data(data: Any) -> Markup:
    """JSON that no text in it can end the script element of."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704


def _own(name: str) -> Markup:
    return Markup((FOLDER / name).read_text())  # noqa: S704


def _yaml(contents: Contents) -> str:
    return yaml.safe_dump(msgspec.to_builtins(contents.params), sort_keys=False)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"


def _size(count: float) -> str:
    """Bytes in words."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 999.5:  # what is more would be 1e+03
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"

"""Write the licences and attributions of everything in the pack."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from demo.sounds import licence_section
from demo.sources import FURNITURE_PACKAGE, PICTURES_PACKAGE, SOUNDFONT_PACKAGE

_URLS = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC-BY-3.0-US": "https://creativecommons.org/licenses/by/3.0/us/",
}
_OBJECTS = """## Objects

Point clouds, renders, depth maps and turntable clips of {count} models of Debian's `{package}`
(Sweet Home 3D's furniture catalogues, converted to OBJ by Emmanuel Puybaret / eTeks;
http://www.sweethome3d.com).
Changed here: sampled into points, drawn and measured from virtual cameras, reduced in size.
"""
_PICTURES = """## Pictures

Fluent Emoji by Microsoft, as packaged in npm's `{package}`; reduced in size, put on white.
MIT License. Copyright (c) Microsoft Corporation; packaging copyright (c) 2023 LobeHub.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED *AS IS*, WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def licences_page(records: Iterable[Mapping[str, Any]]) -> str:
    """Markdown: each source with its licence, and each author with the objects made by them."""
    works: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        works[record["licence"]][record["creator"]].append(record["id"])
    count = sum(len(ids) for authors in works.values() for ids in authors.values())
    lines = [
        "# Licences of the embedded pack",
        "",
        _OBJECTS.format(count=count, package=FURNITURE_PACKAGE),
    ]
    for licence, authors in sorted(works.items()):
        lines += [f"### {licence} ({_URLS[licence]})", ""]
        lines += [f"- {author}: {_works(ids)}" for author, ids in sorted(authors.items())]
        lines.append("")
    pictures = _PICTURES.format(package=PICTURES_PACKAGE)
    return "\n".join([*lines, pictures, licence_section(SOUNDFONT_PACKAGE)])


def _works(ids: list[str]) -> str:
    """The ids themselves, or their number where the id's first part already names the author."""
    return ", ".join(sorted(ids)) if len(ids) < 20 else f"{len(ids)} objects, see objects.jsonl"

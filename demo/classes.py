"""The object classes of the pack: which catalogue names mean which class.

The table is the whole rule. A name belongs to the first row that matches it; rows are tried in
order, so narrow rows come first. An object whose name matches no row has no class: it serves
training only.
"""

import re
from dataclasses import dataclass

from demo.catalogue import CatalogueEntry


@dataclass(frozen=True)
class Rule:
    """One row of the table."""

    label: str | None
    """The class, in natural words; `None` says that these names belong to no class."""
    names: str
    """Regular expression for the whole name, case ignored."""
    categories: str = ".*"
    """Regular expression for the whole category."""


RULES = (
    Rule(None, r".*(ottoman|with fruits|stand|remote control).*"),
    Rule(None, r"opened convertible sofa.*|table (tennis.*|fan)|football table|changing table"),
    Rule(None, r"wheelchair|baby high chair|deck chair|(beach|bar|relax) chair|children game"),
    Rule(None, r"mannequin.*|plate, .*|shower door|pool table"),
    Rule("sofa", r".*\b(sofa|couch)\b.*"),
    Rule("armchair", r".*\barmchair"),
    Rule("chair", r".*\bchair( with cushion)?|class seat"),
    Rule("desk", r"(wooden )?desk|desk table|technical table"),
    Rule("cabinet", r".*\b(cabinet|wardrobe|cupboard|bedside table|island|dresser with drawers)"),
    Rule("cabinet", r"locked locker"),
    Rule("table", r".*\btable( on trestles| with tablecloth)?"),
    Rule("bed", r".*\bbed|crib|futon", "Bedroom"),
    Rule("bookcase", r".*\b(bookcase|shelves)"),
    Rule("lamp", r".*\b(lamp|light|lamppost|lantern)|track lights", "Lights"),
    Rule("door", r"(?!.*window).*\bdoor( with panes)?", "Doors and windows"),
    Rule("window", r".*\bwindow\b.*", "Doors and windows"),
    Rule(
        "car",
        r"chevrolet|concept sedan.*|ford focus|peugeot 308 cc|renault scenic|suv|"
        r"seat leon|smart car|vw new beetle|van",
        "Vehicles",
    ),
    Rule("person", r"(.* )?(female|male|boy|girl)", "Characters"),
    Rule("animal", r"bulldog|(siamese )?cat|chicken|dog|horse|rabbit", "Characters"),
    Rule("animal", r"deer"),
    Rule("tree", r"acacia|.*\b(tree|maple|beech|pine|cypress|poplar|blossom)|.*\bunder snow"),
    Rule("potted plant", r".*\bplant|flowers|orchids|tulips|white lily|spathiphyllum|yucca|ficus"),
    Rule("bottle", r".*\bbottle|flacon"),
    Rule("cup", r"(beer |cocktail )?glass|(coffee |plastic )?(cup|mug)", "Kitchen"),
    Rule("washbasin", r"washbasin|small lavatory|sink|(double )?vanity"),
    Rule("clothes", r"dress|jacket|short|skirt|suit|trousers|(folded|hanging) clothes"),
)


def class_of(entry: CatalogueEntry) -> str | None:
    """The class of a catalogue entry, or None."""
    for rule in RULES:
        if re.fullmatch(rule.names, entry.name, re.IGNORECASE) and re.fullmatch(
            rule.categories, entry.category
        ):
            return rule.label
    return None

"""Texts of the pack: captions from a record's name, category and tags, prompts from a class."""

from collections.abc import Mapping
from typing import Any

_OBJECT_TEMPLATES = (
    "a 3D model of {}",
    "a point cloud model of {}",
    "a rendering of {}",
    "a photo of {}",
    "{}",
)
_PICTURE_TEMPLATES = ("{}", "a picture of {}", "an emoji of {}", "a 3D icon of {}")
_PLACES = {
    "Bathroom": "in the bathroom",
    "Bedroom": "in the bedroom",
    "Characters": "standing or sitting",
    "Doors and windows": "in a wall",
    "Exterior": "outdoors",
    "Kitchen": "in the kitchen",
    "Lights": "giving light",
    "Living room": "in the living room",
    "Office": "in the office",
    "Staircases": "between two floors",
    "Vehicles": "on the road",
}
_UNINFORMATIVE_TAGS = {"blend swap", "scpts", "haussmann", "adjustable"}


def object_captions(record: Mapping[str, Any]) -> list[str]:
    """Captions of one line of `objects.jsonl`: of its name, its class, its place and its tags."""
    subjects = [_with_article(record["name"])]
    label = record["class"]
    if label and label not in record["name"].lower():
        subjects.append(_with_article(label))
    captions = [template.format(subject) for subject in subjects for template in _OBJECT_TEMPLATES]
    if record["category"] in _PLACES:
        captions.append(f"{subjects[-1]} {_PLACES[record['category']]}")
    tags = [tag.lower() for tag in record["tags"] if tag.lower() not in _UNINFORMATIVE_TAGS]
    if tags:
        captions.append(f"{subjects[0]}, {', '.join(tags)}")
    return captions


def picture_captions(record: Mapping[str, Any]) -> list[str]:
    """Captions of one line of `pictures.jsonl`."""
    return [template.format(record["name"]) for template in _PICTURE_TEMPLATES]


def class_prompts(label: str) -> list[str]:
    """The prompt ensemble of one class for zero-shot classification."""
    return [template.format(_with_article(label)) for template in _OBJECT_TEMPLATES]


def _with_article(name: str) -> str:
    name = name[0].lower() + name[1:] if name[1:2].islower() else name
    if name.split()[-1] in {"clothes", "trousers", "flowers", "orchids", "tulips"}:
        return name
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"

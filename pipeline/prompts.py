"""Prompt templates by name or of one's own, and the class embedding that they make together."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pipeline.config.templates import Prompts, check_templates
from pipeline.dvc_stage import require_watched
from pipeline.errors import UserError
from pipeline.small_files import read_small

MODELNET40_64 = (
    "a point cloud model of {}.",
    "There is a {} in the scene.",
    "There is the {} in the scene.",
    "a photo of a {} in the scene.",
    "a photo of the {} in the scene.",
    "a photo of one {} in the scene.",
    "itap of a {}.",
    "itap of my {}.",
    "itap of the {}.",
    "a photo of a {}.",
    "a photo of my {}.",
    "a photo of the {}.",
    "a photo of one {}.",
    "a photo of many {}.",
    "a good photo of a {}.",
    "a good photo of the {}.",
    "a bad photo of a {}.",
    "a bad photo of the {}.",
    "a photo of a nice {}.",
    "a photo of the nice {}.",
    "a photo of a cool {}.",
    "a photo of the cool {}.",
    "a photo of a weird {}.",
    "a photo of the weird {}.",
    "a photo of a small {}.",
    "a photo of the small {}.",
    "a photo of a large {}.",
    "a photo of the large {}.",
    "a photo of a clean {}.",
    "a photo of the clean {}.",
    "a photo of a dirty {}.",
    "a photo of the dirty {}.",
    "a bright photo of a {}.",
    "a bright photo of the {}.",
    "a dark photo of a {}.",
    "a dark photo of the {}.",
    "a photo of a hard to see {}.",
    "a photo of the hard to see {}.",
    "a low resolution photo of a {}.",
    "a low resolution photo of the {}.",
    "a cropped photo of a {}.",
    "a cropped photo of the {}.",
    "a close-up photo of a {}.",
    "a close-up photo of the {}.",
    "a jpeg corrupted photo of a {}.",
    "a jpeg corrupted photo of the {}.",
    "a blurry photo of a {}.",
    "a blurry photo of the {}.",
    "a pixelated photo of a {}.",
    "a pixelated photo of the {}.",
    "a black and white photo of the {}.",
    "a black and white photo of a {}",
    "a plastic {}.",
    "the plastic {}.",
    "a toy {}.",
    "the toy {}.",
    "a plushie {}.",
    "the plushie {}.",
    "a cartoon {}.",
    "the cartoon {}.",
    "an embroidered {}.",
    "the embroidered {}.",
    "a painting of the {}.",
    "a painting of a {}.",
)
"""ULIP, data/templates.json, key modelnet40_64; one has no full stop there either."""

SOUND_AS_IMAGE = (
    "{}.",
    "An image depicting {}.",
    "{}.",
    "An image showing {}.",
    "{}.",
    "This is {}.",
    "A photograph shows {}.",
    "An image of {}.",
    "A good image of {}.",
    "A photo of {}.",
    "A picture of {}.",
    "A bright image of {}.",
)
"""ViT-Lens, audio labels; the bare label counts three times there too."""

SCENE = (
    "An image depicting a {} environment.",
    "This location is best described as {}.",
    "This location is {}.",
    "A visual scene of {} setting.",
    "This picture showcases a {} environment.",
    "This place is {}.",
    "An example of {} scene category.",
    "An example of a {} scene.",
    "This scene can be described as {}.",
    "A visual scene of a {} location.",
    "This photograph captures a {} scene.",
    "This is a {} setting.",
    "This image corresponds to a {} scene.",
    "This photograph shows {}.",
    "This is an image of {}.",
    "A good image of {}.",
    "A photo of the nice {}.",
    "A picture of {}.",
    "A bright image of {}.",
)
"""ViT-Lens, depth scene labels."""

PHOTO = (
    "{}.",
    "a photo of a {}.",
    "a picture of a {}.",
    "a rendering of a {}.",
    "an image of a {}.",
)
"""Plain image templates."""

SOUND = (
    "{}.",
    "a {}.",
    "the {}.",
    "the sound of {}.",
    "the sound of a {}.",
    "the sound of the {}.",
    "a sound of {}.",
    "a sound of a {}.",
    "this is the sound of {}.",
    "this is a sound of {}.",
    "a recording of {}.",
    "a recording of a {}.",
    "{} can be heard.",
)
"""Plain sound templates, for a text tower that was taught captions of sounds."""

ACTION = tuple(
    f"a {medium} of {who} {doing}{{}}."
    for doing in ("", "using ", "doing ", "during ", "performing ", "practicing ")
    for who in ("a person", "the person")
    for medium in ("photo", "video", "example", "demonstration")
)
"""CLIP, data/prompts.md, UCF101: 48, "a example" among them."""

TEMPLATES = {
    "modelnet40_64": MODELNET40_64,
    "sound_as_image": SOUND_AS_IMAGE,
    "scene": SCENE,
    "photo": PHOTO,
    "sound": SOUND,
    "action": ACTION,
}
IMAGENET = "imagenet"
"""The 80 of CLIP's authors, which open_clip has."""
OWN = Path("prompts")
"""Folder of text files of one's own, a dependency of all stages in dvc.yaml that speak."""


def templates(prompts: Prompts) -> tuple[str, ...]:
    """The template list of that name, the listed ones, or those in a text file, one a line.

    Raises:
        UserError: there is no such name or file, or one of them has not `{}` exactly once; or,
            within a DVC stage, a file outside `OWN`.
    """
    if not isinstance(prompts, str):
        return tuple(prompts)
    if prompts in TEMPLATES:
        return TEMPLATES[prompts]
    if prompts == IMAGENET:
        return _imagenet()
    known = ", ".join([*TEMPLATES, IMAGENET])
    mend = f"name one of {known}, list templates, or name a text file of them"
    try:
        text = read_small(Path(prompts), mend).decode("utf-8-sig")
        written = tuple(line for each in text.splitlines() if (line := each.strip()))
        check_templates(prompts, written)
    except FileNotFoundError:
        near = f"expected one of {known}, a list of templates, or a text file"
        raise UserError(f"prompts '{prompts}': {near}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{prompts}: not a text in UTF-8 ({error}); {mend}") from None
    except UserError:
        raise
    except ValueError as error:
        raise UserError(str(error)) from None
    require_watched([Path(prompts)], OWN, "prompts", "move it there")
    return written


def _imagenet() -> tuple[str, ...]:
    from open_clip import OPENAI_IMAGENET_TEMPLATES  # seconds, which others need not wait for

    return tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)


def class_embeddings(
    encode_text: Callable[[Sequence[str]], Tensor], classes: Sequence[str], prompts: Sequence[str]
) -> Tensor:
    """Float32 [classes, dim]: each prompt's feature normalised, averaged, normalised again.

    The official order of CLIP, ULIP and ViT-Lens; averaging before normalising is not the same.
    """
    filled = [prompt.format(name) for name in classes for prompt in prompts]
    features = normalize(encode_text(filled).float(), dim=-1)
    return normalize(features.view(len(classes), len(prompts), -1).mean(dim=1), dim=-1)


def text_embeddings(encode_text: Callable[[Sequence[str]], Tensor], texts: Sequence[str]) -> Tensor:
    """Float32 [texts, dim], normalised: captions as they are."""
    return normalize(encode_text(list(texts)).float(), dim=-1) if texts else torch.empty(0, 0)

"""The augmentation chain of each (source, model) modality, and the one place that runs them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.config.data import ViewsConfig
from pipeline.errors import UserError
from pipeline.views import image, points
from pipeline.views.digest import content_digest, params_digest
from pipeline.views.rng import EVALUATION, ViewRng


@dataclass(frozen=True)
class Chain:
    """How one member of a sample becomes a view."""

    member: str
    """Member it starts from; also the modality of the finished view."""
    stream: str
    """Separates its draws from those of the sample's other members."""
    description: str
    """Operations and values; part of every store's fingerprint."""
    sample: Callable[[ViewRng, ViewsConfig], Any]
    """Draws all randomness."""
    evaluation: Any
    """The parameters that stand for no randomness."""
    apply: Callable[[Any, Any, ViewsConfig], np.ndarray]
    """(decoded member, parameters, sizes) -> canonical view; pure."""


def _apply_image(decoded: Any, params: Any, sizes: ViewsConfig) -> np.ndarray:
    return image.apply_image(decoded, params, sizes.image_size)


def _apply_points(decoded: Any, params: Any, sizes: ViewsConfig) -> np.ndarray:
    return points.apply_points(decoded, params, sizes.points)


_CHAINS = {
    ("image", "image"): Chain(
        "image",
        "",
        image.IMAGE_CHAIN,
        lambda rng, sizes: image.sample_image(rng),
        image.CentreParams(),
        _apply_image,
    ),
    ("points", "points"): Chain(
        "points",
        "",
        points.POINTS_CHAIN,
        lambda rng, sizes: points.sample_points(rng, sizes.points),
        points.WholeParams(),
        _apply_points,
    ),
    ("points", "image"): Chain(
        "image",
        "image",
        image.PAIRED_IMAGE_CHAIN,
        lambda rng, sizes: image.sample_crop(rng),
        image.CentreParams(),
        _apply_image,
    ),
}


def chain_for(source_modality: str, model_modality: str) -> Chain:
    """The chain that feeds a model of one modality from a source of another.

    Raises:
        UserError: the source has no member that the model reads.
    """
    try:
        return _CHAINS[source_modality, model_modality]
    except KeyError:
        pairs = ", ".join(f"{model} from {source}" for source, model in _CHAINS)
        raise UserError(
            f"no chain feeds a {model_modality} model from a {source_modality} source; "
            f"there is: {pairs}"
        ) from None


@dataclass(frozen=True)
class View:
    """A finished view and the proof of what it is."""

    array: np.ndarray
    """Canonical view: uint8 [3, S, S] for images, float32 [P, 3|6] for points."""
    params_digest: int
    content_digest: int


@dataclass(frozen=True)
class ViewMaker:
    """Makes the views of one chain under one seed and one set of sizes."""

    chain: Chain
    seed: int
    sizes: ViewsConfig

    def recipe(self) -> dict[str, str | int]:
        """What determines a view's content, as it enters a store's fingerprint."""
        size = {"image": self.sizes.image_size, "points": self.sizes.points}[self.chain.member]
        return {"chain": self.chain.description, "size": size, "seed": self.seed}

    def params(self, key: str, view: int) -> Any:
        """All randomness of a view; none for `EVALUATION`."""
        if view == EVALUATION:
            return self.chain.evaluation
        rng = ViewRng(self.seed, key, view, self.chain.stream)
        return self.chain.sample(rng, self.sizes)

    def __call__(self, decoded: Any, key: str, view: int) -> View:
        """The view number `view` of a decoded member."""
        params = self.params(key, view)
        array = self.chain.apply(decoded, params, self.sizes)
        return View(array, params_digest(key, view, params), content_digest(array))

"""The augmentation chain of each (source, model) modality, and the one place that runs them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from pipeline.config.data import ViewsConfig
from pipeline.errors import UserError
from pipeline.views import audio, depth, image, points, short_side, video
from pipeline.views.digest import content_digest, params_digest
from pipeline.views.rng import EVALUATION, ViewRng


@dataclass(frozen=True, eq=False)
class Chain:
    """How one member of a sample becomes a view; there is one object of each."""

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
    apply: Callable[[Any, Any, ViewsConfig], Any]
    """(gathered member, parameters, sizes) -> canonical view; pure."""
    sizes: tuple[str, ...]
    """Fields of `ViewsConfig` that the view depends on."""
    gather: Callable[[Any, Sequence[Any], ViewsConfig], Any] = lambda decoded, params, sizes: (
        decoded
    )
    """(decoded member, parameters of some views, sizes) -> what those views need of it."""

    def __reduce__(self) -> tuple[Callable[..., "Chain"], tuple[str, str]]:
        """Goes to other processes by its place in the table: functions without names cannot."""
        return chain_for, next(pair for pair, chain in _CHAINS.items() if chain is self)


def _apply_image(decoded: Any, params: Any, sizes: ViewsConfig) -> np.ndarray:
    return image.apply_image(decoded, params, sizes.image_size)


_CLIP_SIZES = ("image_size", "video_frames", "video_stride")
_IMAGE = Chain(
    member="image",
    stream="",
    description=image.IMAGE_CHAIN,
    sample=lambda rng, sizes: image.sample_image(rng),
    evaluation=image.CentreParams(),
    apply=_apply_image,
    sizes=("image_size",),
)
_POINTS = Chain(
    member="points",
    stream="",
    description=points.POINTS_CHAIN,
    sample=lambda rng, sizes: points.sample_points(rng, sizes.points),
    evaluation=points.WholeParams(),
    apply=lambda cloud, params, sizes: points.apply_points(cloud, params, sizes.points),
    sizes=("points",),
)
_VIDEO = Chain(
    member="video",
    stream="",
    description=video.VIDEO_CHAIN,
    sample=video.sample_video,
    evaluation=image.CentreParams(),
    apply=video.apply_video,
    sizes=_CLIP_SIZES,
    gather=video.gather_frames,
)
_DEPTH = Chain(
    member="depth",
    stream="",
    description=depth.DEPTH_CHAIN,
    sample=lambda rng, sizes: depth.sample_depth(rng),
    evaluation=image.CentreParams(),
    apply=lambda stored, params, sizes: depth.apply_depth(stored, params, sizes.image_size),
    sizes=("image_size",),
)
_AUDIO = Chain(
    member="audio",
    stream="",
    description=audio.AUDIO_CHAIN,
    sample=audio.sample_audio,
    evaluation=image.CentreParams(),
    apply=audio.apply_audio,
    sizes=("audio_seconds",),
    gather=audio.gather_windows,
)
_CHAINS = {
    ("image", "image"): _IMAGE,
    ("video", "video"): _VIDEO,
    ("video", "image"): _VIDEO,  # an image teacher sees the clip's frames
    ("points", "points"): _POINTS,
    ("points", "image"): replace(
        _IMAGE,
        stream="image",
        description=image.PAIRED_IMAGE_CHAIN,
        sample=lambda rng, sizes: image.sample_crop(rng),
    ),
    ("depth", "depth"): _DEPTH,
    ("depth", "image"): replace(
        _IMAGE,
        description=depth.DEPTH_IMAGE_CHAIN,
        sample=lambda rng, sizes: depth.sample_depth_image(rng),
    ),
    ("audio", "audio"): _AUDIO,
    ("audio", "image"): replace(
        _IMAGE,
        stream="image",
        description=f"{short_side.SHORT_SIDE_CHAIN}; v3",
        sample=lambda rng, sizes: short_side.sample_short_side(rng, sizes.image_size),
        apply=lambda decoded, params, sizes: short_side.apply_short_side_image(
            decoded, params, sizes.image_size
        ),
    ),
    ("audio", "video"): replace(
        _VIDEO,
        stream="video",
        description=video.PAIRED_VIDEO_CHAIN,
        sample=video.sample_paired_clip,
    ),
}
"""(source, model) -> chain: the columns of Table 1, and its last row for what is paired."""


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


def chains_of(source_modality: str) -> dict[str, Chain]:
    """Every chain of a source, by the modality of the model that it feeds."""
    return {model: chain for (source, model), chain in _CHAINS.items() if source == source_modality}


class View(msgspec.Struct, frozen=True):
    """A finished view and the proof of what it is."""

    array: Any
    """Canonical view: uint8 [3, S, S] of an image, uint8 [T, 3, S, S] of a video, float32
    [P, 3|6] of a cloud, disparity float32 [1, S, S] of a depth map, an `AudioView` of a sound."""
    params_digest: int
    content_digest: int


@dataclass(frozen=True)
class ViewMaker:
    """Makes the views of one chain under one seed and one set of sizes."""

    chain: Chain
    seed: int
    sizes: ViewsConfig

    def recipe(self) -> dict[str, str | int | float]:
        """What determines a view's content, as it enters a store's fingerprint."""
        sizes = {name: getattr(self.sizes, name) for name in self.chain.sizes}
        return {"chain": self.chain.description, "seed": self.seed, **sizes}

    def params(self, key: str, view: int) -> Any:
        """All randomness of a view; none for `EVALUATION`."""
        if view == EVALUATION:
            return self.chain.evaluation
        rng = ViewRng(self.seed, key, view, self.chain.stream)
        return self.chain.sample(rng, self.sizes)

    def params_digest(self, key: str, view: int) -> int:
        """Digest of a view's drawn parameters, the view itself unmade."""
        return params_digest(key, view, self.params(key, view))

    def __call__(self, decoded: Any, key: str, view: int) -> View:
        """The view number `view` of a decoded member.

        Raises:
            UnreadableSample: a part of a clip or recording that the view needs is damaged.
        """
        params = self.params(key, view)
        return self._view(self.chain.gather(decoded, [params], self.sizes), key, view, params)

    def views(self, decoded: Any, key: str, numbers: Iterable[int]) -> list[View]:
        """Several views, for which a long member is decoded once.

        Raises:
            UnreadableSample: as for one view.
        """
        drawn = {view: self.params(key, view) for view in numbers}
        gathered = self.chain.gather(decoded, list(drawn.values()), self.sizes)
        return [self._view(gathered, key, view, params) for view, params in drawn.items()]

    def _view(self, gathered: Any, key: str, view: int, params: Any) -> View:
        array = self.chain.apply(gathered, params, self.sizes)
        return View(array, params_digest(key, view, params), content_digest(array))

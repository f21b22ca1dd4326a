"""A sample decoded and augmented once for all the teachers that see the same views of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.samples import UnreadableSample, decode_member
from pipeline.views import View, ViewMaker
from pipeline.views.digest import params_digest
from stage1_extract.forward_pass import ForwardPass

Sample = tuple[str, Mapping[str, bytes]]
"""Key and members."""


@dataclass(frozen=True)
class TeacherInputs:
    """All K views of one sample, preprocessed for one teacher."""

    key: str
    inputs: Tensor | None
    """[K, ...]; None if the sample could not be used."""
    params_digest: list[int]
    view_digest: list[int]


def teacher_inputs(passes: Sequence[ForwardPass], sample: Sample) -> list[TeacherInputs]:
    """What every teacher sees of a sample, in the order of `passes`."""
    key, members = sample
    views = {maker: _views(maker, key, members) for maker in {each.maker for each in passes}}
    return [_preprocessed(each, key, views[each.maker]) for each in passes]


def _views(maker: ViewMaker, key: str, members: Mapping[str, bytes]) -> list[View] | None:
    """The K views, or None where the sample cannot be used."""
    try:
        decoded = decode_member(members, maker.chain.member)
        return maker.views(decoded, key, range(maker.sizes.count))
    except UnreadableSample:
        return None


def _preprocessed(forward: ForwardPass, key: str, views: list[View] | None) -> TeacherInputs:
    if views is None:
        drawn = [forward.maker.params(key, view) for view in range(forward.views)]
        digests = [params_digest(key, view, params) for view, params in enumerate(drawn)]
        return TeacherInputs(key, None, digests, [0] * forward.views)
    return TeacherInputs(
        key,
        torch.stack([forward.teacher.preprocess(view.array) for view in views]),
        [view.params_digest for view in views],
        [view.content_digest for view in views],
    )

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
    """Some views of one sample, preprocessed for one teacher."""

    key: str
    inputs: Tensor | None
    """[views, ...]; None if the sample could not be used."""
    params_digest: list[int]
    view_digest: list[int]


def teacher_inputs(passes: Sequence[ForwardPass], sample: Sample) -> list[TeacherInputs]:
    """What every teacher sees of a sample, in the order of `passes`."""
    key, members = sample
    wanted = {(each.maker, each.views) for each in passes}
    views = {(maker, numbers): _views(maker, numbers, key, members) for maker, numbers in wanted}
    return [_preprocessed(each, key, views[each.maker, each.views]) for each in passes]


def _views(
    maker: ViewMaker, numbers: range, key: str, members: Mapping[str, bytes]
) -> list[View] | None:
    """The views of these numbers, or None where the sample cannot be used."""
    try:
        decoded = decode_member(members, maker.chain.member)
        return maker.views(decoded, key, numbers)
    except UnreadableSample:
        return None


def _preprocessed(forward: ForwardPass, key: str, views: list[View] | None) -> TeacherInputs:
    if views is None:
        drawn = [(view, forward.maker.params(key, view)) for view in forward.views]
        digests = [params_digest(key, view, params) for view, params in drawn]
        return TeacherInputs(key, None, digests, [0] * len(digests))
    return TeacherInputs(
        key,
        torch.stack([forward.input(view.array) for view in views]),
        [view.params_digest for view in views],
        [view.content_digest for view in views],
    )

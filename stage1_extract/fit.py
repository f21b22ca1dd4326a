"""Whether a teacher can take the views that the params describe, told before any tar is read."""

import numpy as np
import torch

from pipeline.config import ViewsConfig
from pipeline.errors import UserError
from pipeline.torch_file import first_line
from stage1_extract.forward_pass import ForwardPass


def check_fit(forward: ForwardPass, sizes: ViewsConfig) -> None:
    """Let a teacher of pixels see one black view; clouds and sounds have no size to be built for.

    Raises:
        UserError: it cannot take it, or gives another width than its card says.
    """
    view = _black(forward.maker.chain.member, sizes)
    if view is None:
        return
    teacher, shape = forward.teacher, list(view.shape)
    try:
        feature = forward.feature(view)
    except (UserError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a model may refuse it in any way
        raise UserError(
            f"teacher {teacher.name}: cannot take a view of shape {shape} ({first_line(error)}); "
            f"resize it in the teacher's preprocess, or set views.image_size, now "
            f"{sizes.image_size}, to the model's own"
        ) from error
    if tuple(feature.shape) != (teacher.dim,):
        raise UserError(
            f"teacher {teacher.name}: gives a view a feature of shape {list(feature.shape)}, "
            f"expected [{teacher.dim}], the dim of its card; correct the card or its encode"
        )


def _black(member: str, sizes: ViewsConfig) -> np.ndarray | None:
    side = sizes.image_size
    if member == "image":
        return np.zeros((3, side, side), np.uint8)
    if member == "video":
        return np.zeros((sizes.video_frames, 3, side, side), np.uint8)
    if member == "depth":
        return np.zeros((1, side, side), np.float32)
    return None

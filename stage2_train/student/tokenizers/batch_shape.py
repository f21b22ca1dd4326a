"""The check of what a tokenizer is given."""

from torch import Tensor

from pipeline.errors import UserError


def require_shape(x: Tensor, sample: tuple[int, ...], what: str, way_out: str) -> None:
    """Raise UserError unless `x` is a batch of samples of shape `sample`."""
    if x.shape[1:] != sample:
        expected = ", ".join(map(str, ("B", *sample)))
        raise UserError(f"the student takes {what} [{expected}], found {list(x.shape)}; {way_out}")

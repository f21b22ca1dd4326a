"""Resampling to 16 kHz by torchaudio's default kernel, the same on every machine.

Kernel and samples are rounded to multiples of 2**-24 and 2**-23. Their products then are multiples
of 2**-47 and their sums stay below 2**6, so float64 holds every one exactly: no order of summation,
no BLAS and no processor changes a bit, and views keep their content digests from one machine to
another. Against torchaudio.transforms.Resample the difference is below 1e-6.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from torchaudio.transforms import Resample

RATE = 16000
"""Samples a second of every canonical waveform (supplement 2.1)."""
LOUDEST = 4.0
"""Amplitude up to which sums are exact; decoders refuse more, as it is not on the scale -1..1."""
MAX_TAPS = 4_000_000
"""Largest kernel, 32 MB: rates that share no large divisor with 16 kHz need more."""


BAND = 16
"""Outputs computed together: neighbours need nearly the same samples, distant ones do not."""


@dataclass(frozen=True)
class _Kernel:
    """Taps of one stretch of outputs; the next stretch has the same, `stride` samples later."""

    bands: tuple[tuple[slice, np.ndarray], ...]
    """(samples of the stretch, taps float64 [samples, outputs]) of `BAND` outputs each."""
    width: int
    """Samples that a stretch reads."""
    outputs: int
    """Samples that a stretch makes."""
    stride: int
    before: int
    """Samples that a stretch reaches back."""


def resampled_length(count: int, rate: int) -> int:
    """Samples at 16 kHz of `count` samples at `rate`."""
    return -(-count * RATE // rate)


def kernel_size(rate: int) -> int:
    """Taps of the kernel for a rate; compare with `MAX_TAPS` before resampling from it."""
    divisor = gcd(rate, RATE)
    stride, outputs = rate // divisor, RATE // divisor
    width = 6.07 * stride / min(stride, outputs)  # 6 zero crossings over a roll-off of 0.99
    return int(outputs * (stride + 2 * (width + 1)))


def resampled(
    read: Callable[[int, int], np.ndarray], count: int, rate: int, start: int, stop: int
) -> np.ndarray:
    """Samples start..stop-1 at 16 kHz, float32, reading no more of the source than they need.

    Args:
        read: (first, last + 1) -> float64 samples of the source within -LOUDEST..LOUDEST.
        count: samples of the source, at `rate`.
        rate: of the source, in Hz.
        start: first sample wanted, at 16 kHz.
        stop: last sample wanted, plus one.
    """
    if rate == RATE:
        return read(start, stop).astype(np.float32)
    kernel = _kernel(rate)
    first, last = start // kernel.outputs, -(-stop // kernel.outputs)
    begin = first * kernel.stride - kernel.before
    end = (last - 1) * kernel.stride - kernel.before + kernel.width
    samples = np.zeros(end - begin)
    inside = slice(max(begin, 0), min(end, count))
    samples[inside.start - begin : inside.stop - begin] = read(inside.start, inside.stop)
    np.rint(np.multiply(samples, 2.0**23, out=samples), out=samples)
    stretches = sliding_window_view(samples, kernel.width)[:: kernel.stride]
    outputs = [stretches[:, band] @ taps for band, taps in kernel.bands]
    resampled = np.concatenate(outputs, axis=1).reshape(-1)
    skipped = first * kernel.outputs
    return resampled[start - skipped : stop - skipped].astype(np.float32)


@lru_cache(maxsize=8)
def _kernel(rate: int) -> _Kernel:
    resample = Resample(rate, RATE)
    stride, outputs = rate // gcd(rate, RATE), RATE // gcd(rate, RATE)
    # The samples stay 2**23 times too large until here, so that rounding them is one pass.
    taps = np.rint(resample.kernel.double().squeeze(1).numpy().T * 2.0**24) * 2.0**-47
    repeats = -(-BAND // outputs)
    long = np.zeros((len(taps) + (repeats - 1) * stride, repeats * outputs))
    for repeat in range(repeats):
        rows = slice(repeat * stride, repeat * stride + len(taps))
        long[rows, repeat * outputs : (repeat + 1) * outputs] = taps
    bands = [_band(long[:, first : first + BAND]) for first in range(0, long.shape[1], BAND)]
    return _Kernel(
        tuple((rows, np.ascontiguousarray(taps)) for rows, taps in bands),
        len(long), long.shape[1], repeats * stride, resample.width,
    )  # fmt: skip


def _band(taps: np.ndarray) -> tuple[slice, np.ndarray]:
    """The rows between the first and the last that are not all zero."""
    used = np.flatnonzero(taps.any(axis=1))
    rows = slice(int(used[0]), int(used[-1]) + 1)
    return rows, taps[rows]

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
from torchaudio.transforms import Resample

RATE = 16000
"""Samples a second of every canonical waveform (supplement 2.1)."""
LOUDEST = 4.0
"""Amplitude up to which sums are exact; decoders refuse more, as it is not on the scale -1..1."""
MAX_TAPS = 4_000_000
"""Largest kernel, 32 MB: rates that share no large divisor with 16 kHz need more."""


@dataclass(frozen=True)
class _Kernel:
    taps: np.ndarray
    """Float64 [width of a stretch, outputs a stretch]."""
    stride: int
    """Input samples from one stretch to the next."""
    before: int
    """Input samples that a stretch reaches back."""


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
    width, outputs = kernel.taps.shape
    first, last = start // outputs, -(-stop // outputs)
    begin, end = first * kernel.stride - kernel.before, (last - 1) * kernel.stride - kernel.before
    end += width
    samples = np.zeros(end - begin)
    inside = slice(max(begin, 0), min(end, count))
    samples[inside.start - begin : inside.stop - begin] = read(inside.start, inside.stop)
    samples = np.rint(samples * 2.0**23) * 2.0**-23
    stretches = np.lib.stride_tricks.sliding_window_view(samples, width)[:: kernel.stride]
    resampled = (stretches @ kernel.taps).reshape(-1)
    return resampled[start - first * outputs : stop - first * outputs].astype(np.float32)


@lru_cache(maxsize=8)
def _kernel(rate: int) -> _Kernel:
    resample = Resample(rate, RATE, dtype=None)
    taps = resample.kernel.double().squeeze(1).numpy()
    return _Kernel(
        np.ascontiguousarray((np.rint(taps * 2.0**24) * 2.0**-24).T),
        rate // gcd(rate, RATE),
        resample.width,
    )

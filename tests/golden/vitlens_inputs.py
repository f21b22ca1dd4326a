"""The ViT-Lens cases' inputs, by the formulas that the cases give (their `input`)."""

import numpy as np


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def normalised_disparity() -> np.ndarray:
    """Return float32 [2, 1, 224, 224]."""
    g = _generator(0)
    low = g.standard_normal((2, 1, 7, 7))
    x = np.kron(low, np.ones((1, 1, 32, 32))) + 0.3 * g.standard_normal((2, 1, 224, 224))
    return x.astype(np.float32)


def filterbanks() -> np.ndarray:
    """Return float32 [2, 512 frames, 128 mel bins]."""
    g = _generator(0)
    low = g.standard_normal((2, 16, 4))
    x = np.kron(low, np.ones((1, 32, 32))) + 0.3 * g.standard_normal((2, 512, 128))
    return x.astype(np.float32)


def unit_clouds() -> np.ndarray:
    """Return float32 [2, 8192, 3] in the unit sphere."""
    g = _generator(0)
    p = g.standard_normal((2, 8192, 3)) * (0.3 + g.random((2, 1, 3)))
    p -= p.mean(axis=1, keepdims=True)
    return (p / np.linalg.norm(p, axis=-1).max(1)[:, None, None]).astype(np.float32)


def raw_cloud() -> np.ndarray:
    """Return a cloud float32 [10000, 3] that is neither centred nor scaled."""
    g = _generator(120)
    p = g.standard_normal((10000, 3)) * (0.3 + g.random((1, 3))) + [0.5, -1, 2]
    return p.astype(np.float32)


def disparity(seed: int, height: int, width: int, focal: float) -> np.ndarray:
    """Return disparity in pixels float32 [H, W] of a made SUN RGB-D depth file.

    Its millimetres are stored rotated left by three bits and are, officially, read as they are;
    the baseline is the Kinects' 0.075 m.
    """
    g = _generator(seed)
    y, x = np.mgrid[0:height, 0:width]
    mm = 2600 + 1500 * np.sin(3 * np.pi * x / width + seed) + 1300 * np.cos(2 * np.pi * y / height)
    mm += 20 * g.standard_normal((height, width))
    near = mm[height // 3 : height // 2, width // 4 : width // 2]
    near[:] = 900 + 5 * g.standard_normal(near.shape)
    mm[: height // 8, 3 * width // 4 :] = 9200
    mm = np.clip(mm, 500, 9500).astype(np.int64)
    mm[g.random((height, width)) < 0.002] = 0
    raw = ((mm << 3) | (mm >> 13)) & 0xFFFF
    metres = np.clip(raw.astype(np.float32) / 1000, 0.01, 50)
    return np.float32(0.075 * focal) / metres

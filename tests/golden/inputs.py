"""The golden cases' inputs, by the formulas that the cases give (their `input`)."""

import numpy as np


def clouds(seed: int, batch: int, points: int, colour: bool = False) -> np.ndarray:
    """Return clouds float32 [B, N, 3 or 6] in the unit ball."""
    g = np.random.Generator(np.random.PCG64(seed))
    p = g.standard_normal((batch, points, 3))
    p /= np.linalg.norm(p, axis=-1, keepdims=True)
    radii = g.random((batch, points, 1))
    p *= radii ** g.uniform(0.1, 1.5, (batch, 1, 1))
    p *= g.uniform(0.05, 1.0, (batch, 1, 3))
    p -= p.mean(1, keepdims=True)
    p /= np.sqrt((p**2).sum(-1)).max(1)[:, None, None]
    if colour:
        p = np.concatenate([p, g.random((batch, points, 3))], axis=-1)
    return p.astype(np.float32)


def standardised_depth(seed: int, batch: int) -> np.ndarray:
    """Return depth maps float32 [B, 1, 224, 224], standardised as MultiMAE's pre-training does."""
    g = np.random.Generator(np.random.PCG64(seed))
    y, x = np.mgrid[0:224, 0:224] / 224
    return np.stack([_depth_map(g, y, x) for _ in range(batch)])[:, None].astype(np.float32)


def _depth_map(g: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    a = g.uniform(-1, 1, 6)
    d = 2 + a[0] * x + a[1] * y + a[2] * np.sin(6 * x + 3 * a[3])
    d = d + a[4] * np.cos(9 * y * (1 + a[5])) + 0.05 * g.standard_normal(x.shape)
    d = np.where(g.random(x.shape) < 0.02, 4 * d, d)
    middle = np.sort(d, axis=None)[int(0.1 * d.size) : int(0.9 * d.size)]
    return (d - middle.mean()) / np.sqrt(middle.var(ddof=1) + 1e-6)


def normal_images(seed: int, batch: int) -> np.ndarray:
    """Return images float32 [B, 3, 224, 224] of standard normal pixels."""
    g = np.random.Generator(np.random.PCG64(seed + 1000))
    return g.standard_normal((batch, 3, 224, 224)).astype(np.float32)


def semantic_maps(seed: int, batch: int) -> np.ndarray:
    """Return class ids int64 [B, 56, 56]."""
    return np.random.Generator(np.random.PCG64(seed + 2000)).integers(0, 133, (batch, 56, 56))


def sampling_and_depth() -> tuple[np.ndarray, np.ndarray]:
    """Return the preprocessing case's cloud for sampling [600, 3] and raw depth [2, 96, 96]."""
    g = np.random.Generator(np.random.PCG64(500))
    g.standard_normal((2048, 3))
    p = g.standard_normal((600, 3))
    p /= np.linalg.norm(p, axis=-1, keepdims=True)
    p[100:200] *= 0.02
    p[299] = -p[0]
    p[300:320] = p[299]
    n = g.standard_normal((2, 96, 96))
    y, x = np.mgrid[0:96, 0:96] / 96
    d = 1.5 + 2 * x + np.sin(7 * y) + 0.1 * n
    d = np.where(g.random((2, 96, 96)) < 0.03, 8 * d, d)
    return p.astype(np.float32), d.astype(np.float32)

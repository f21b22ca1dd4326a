"""Split objects into train and test so that no shape of the test set was seen in training."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.spatial import cKDTree

TEST_SHARE = 0.28
TEST_MOST = 6
_EXTENT_TOLERANCE = 0.03
_NOISE_FACTOR = 1.25
_LARGE_MESH = 1000  # faces; smaller meshes share their counts by chance


def duplicate_groups(
    clouds: Mapping[str, np.ndarray], counts: Mapping[str, tuple[int, int]]
) -> list[list[str]]:
    """Groups (of one or more ids, sorted) of objects that are variants of one mesh.

    `clouds` are float [N,3] in the unit sphere; `counts` the vertices and faces of each mesh.
    Two clouds of one surface differ by sampling noise only, which is estimated within each cloud
    from its two halves; shapes are the same when their distance is within 1.25 of that noise.
    Large meshes of equal counts are one mesh in two poses, however far apart their surfaces are.
    """
    ids = sorted(clouds)
    points = {key: clouds[key].astype(np.float32) for key in ids}
    extents = np.array([np.ptp(points[key], axis=0) for key in ids])
    noise = {key: _chamfer(points[key][0::2], points[key][1::2]) for key in ids}
    parent = {key: key for key in ids}
    for i, first in enumerate(ids):
        near = np.abs(extents[i + 1 :] - extents[i]).max(axis=1) < _EXTENT_TOLERANCE
        for second in (ids[j] for j in np.flatnonzero(near) + i + 1):
            bound = _NOISE_FACTOR * max(noise[first], noise[second])
            if _chamfer(points[first][0::2], points[second][1::2]) < bound:
                parent[_root(parent, second)] = _root(parent, first)
    first_of: dict[tuple[int, int], str] = {}
    for key in (key for key in ids if counts[key][1] >= _LARGE_MESH):
        parent[_root(parent, key)] = _root(parent, first_of.setdefault(counts[key], key))
    groups = defaultdict(list)
    for key in ids:
        groups[_root(parent, key)].append(key)
    return sorted(groups.values())


def split(labels: Mapping[str, str | None], groups: Sequence[Sequence[str]]) -> set[str]:
    """The ids of the test set: about 28 % of each class, at most 6 of it, whole groups only.

    A group with members of several classes, or of none, stays in the training set.
    """
    sizes = Counter(label for label in labels.values() if label)
    by_class: dict[str, list[Sequence[str]]] = defaultdict(list)
    for group in groups:
        of_group = {labels[key] for key in group}
        label = of_group.pop()
        if label and not of_group:
            by_class[label].append(group)
    test: set[str] = set()
    for label, candidates in by_class.items():
        room = min(TEST_MOST, max(2, round(TEST_SHARE * sizes[label])))
        for group in sorted(candidates, key=lambda group: _shuffle_key(group[0])):
            if len(group) <= room:
                test.update(group)
                room -= len(group)
    return test


def _chamfer(a: np.ndarray, b: np.ndarray) -> float:
    forth, _ = cKDTree(b).query(a)
    back, _ = cKDTree(a).query(b)
    return float(max(forth.mean(), back.mean()))


def _root(parent: dict[str, str], key: str) -> str:
    while parent[key] != key:
        key = parent[key]
    return key


def _shuffle_key(key: str) -> bytes:
    return hashlib.blake2b(f"object split/{key}".encode(), digest_size=8).digest()

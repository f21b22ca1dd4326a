"""ScanObjectNN (hkust-vgd.github.io/scanobjectnn; research only, by its terms of use).

    h5_files/main_split/{training,test}_objectdataset.h5         objects with their background
    h5_files/main_split/*_objectdataset_augmentedrot_scale75.h5  the hardest: moved, turned, scaled
    h5_files/main_split_nobg/{training,test}_objectdataset.h5    objects alone

Each holds `data` [N, 2048, 3] and `label` [N]. 2,902 objects in 15 classes, 581 of them for testing
(Uy et al., ICCV 2019). A split names its variant: `test` (OBJ_BG), `test_nobg` (OBJ_ONLY),
`test_hardest` (PB_T50_RS).
"""

import json
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.datasets import RawDataset, RawItem, known_split
from pipeline.datasets.reading.clouds import npy_cloud
from pipeline.datasets.reading.folders import folder_with
from pipeline.datasets.reading.hdf5 import Hdf5Array, Hdf5File
from pipeline.errors import UnreadableSample

LICENCE = "ScanObjectNN terms of use: research"
HOME = "hkust-vgd.github.io/scanobjectnn, after a request: h5_files.zip"
SIZE = "about 12 GB"
_HARDEST = "objectdataset_augmentedrot_scale75.h5"
SPLITS = {
    "train": ("main_split/training_objectdataset.h5", 2309),
    "test": ("main_split/test_objectdataset.h5", 581),
    "train_nobg": ("main_split_nobg/training_objectdataset.h5", 2309),
    "test_nobg": ("main_split_nobg/test_objectdataset.h5", 581),
    "train_hardest": (f"main_split/training_{_HARDEST}", 11416),
    "test_hardest": (f"main_split/test_{_HARDEST}", 2882),
}
"""Split -> its file and the samples in it."""
CLASSES = [
    "bag", "bin", "box", "cabinet", "chair", "desk", "display", "door", "shelf", "table", "bed",
    "pillow", "sink", "sofa", "toilet",
]  # fmt: skip
"""training_data/shape_names_ext.txt of its repository, counted from 0."""


def read(raw: Path, split: str) -> RawDataset:
    """List a split."""
    name, expected = SPLITS[known_split(split, *SPLITS)]
    file = Hdf5File(folder_with(raw, name) / name)
    clouds = file.array("data", (None, None, 3), "f")
    labels = file.array("label", (len(clouds),), "iuf").all()
    items = [
        RawItem(f"{split}-{number:06d}", partial(_members, clouds, number, float(label)))
        for number, label in enumerate(labels)
    ]
    return RawDataset(
        items, CLASSES, ("points",), LICENCE, expected, exact=split.startswith("test")
    )


def _members(clouds: Hdf5Array, number: int, label: float) -> dict[str, bytes]:
    if label not in np.arange(len(CLASSES)):
        raise UnreadableSample(f"label {label:g}: expected one of 0 to {len(CLASSES) - 1}")
    meta = {"id": number, "labels": [int(label)]}
    return {**npy_cloud(clouds.row(number)), "meta.json": json.dumps(meta).encode()}

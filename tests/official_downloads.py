"""Everything that configs/unialign.yaml needs, in miniature: right to whoever lists it, no media in
it to decode."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
from ruamel.yaml import YAML

from tests.pipeline.datasets.conversions import put

PAPER = Path(__file__).parents[1] / "configs" / "unialign.yaml"
SAMPLES = {
    "imagenet": {"train": 1, "val": 1}, "sunrgbd": {"train": 2, "test": 2},
    "modelnet40": 1, "scanobjectnn": {"test": 2, "test_nobg": 2}, "nyud": 1, "esc50": 50,
    "audiocaps": 1, "msrvtt": 1, "ucf101": {"test01": 1},
}  # fmt: skip
"""Of the sources whose lists are fixed, what the miniatures have."""
WEIGHTS = (
    "clip/ViT-B-16.pt", "ulip/checkpoint_pointbert.pt", "vitlens/vitlensL_depth.pt",
    "vitlens/vitlensL_audio.pt",
)  # fmt: skip
CLIP = "openai=weights/clip/ViT-B-16.pt"
CLIP_ID = "aaaaaaaaaaa"
AUDIOSET = "# made\n# num_ytids=1, num_segs=1\n# YTID, start_seconds, end_seconds, ...\n"
AUDIOSET += f'{CLIP_ID}, 30.000, 40.000, "/m/0"\n'


def paper_params(file: Path, **changes: Mapping[str, Any]) -> Path:
    """The paper's recipe over the miniatures, written to a file; `changes` are of sections."""
    yaml = YAML()
    params = yaml.load(PAPER)
    for source, samples in SAMPLES.items():
        params["sources"][source]["samples"] = samples
    params["teachers"]["clip"]["weights"] = params["student"]["weights"] = CLIP
    for section, values in changes.items():
        params[section].update(values)
    yaml.dump(params, file)
    return file


def make_all(root: Path) -> None:
    """Raw folders and weights, as the recipe names them."""
    data = root / "data"
    put(data, {**_pictures_and_clouds(), **_sounds(), **_videos()})
    _rooms(data)
    _scans(data / "scanobjectnn")
    put(root / "weights", dict.fromkeys(WEIGHTS, b"weights"))


def _pictures_and_clouds() -> dict[str, bytes | str]:
    tench, model = "n01440764", "02691156-1a04"
    resampled = "modelnet40/modelnet40_normal_resampled"
    return {
        f"imagenet/train/{tench}/{tench}_1.JPEG": b"",
        f"imagenet/val/{tench}/ILSVRC2012_val_00000293.JPEG": b"",
        "shapenet-55/train.txt": f"{model}.npy\n", "shapenet-55/test.txt": f"{model[:-1]}5.npy\n",
        "shapenet-55/taxonomy.json": '[{"synsetId": "02691156", "name": "airplane,plane"}]',
        f"shapenet-55/shapenet_pc/{model}.npy": b"",
        f"{resampled}/airplane/airplane_0627.txt": "",
        f"{resampled}/modelnet40_test.txt": "airplane_0627\n",
    }  # fmt: skip


def _sounds() -> dict[str, bytes | str]:
    mids = "".join(f'{n},/m/{n},"class {n}"\n' for n in range(527))
    tables = ("balanced_train", "unbalanced_train", "eval")
    rows = [f"{n % 5 + 1}-{n}-A-{n}.wav,{n % 5 + 1},{n},class_{n}" for n in range(50)]
    folds = "\n".join(["filename,fold,target,category", *rows])
    vggsound = f"{CLIP_ID},30,barking,train\nbbbbbbbbbbb,30,barking,test\n"
    captions = "audiocap_id,youtube_id,start_time,caption\n1,ccccccccccc,30,a dog\n"
    return {
        "audioset/class_labels_indices.csv": f"index,mid,display_name\n{mids}",
        **{f"audioset/{name}_segments.csv": AUDIOSET for name in tables},
        f"audioset/{CLIP_ID}.flac": b"",
        "vggsound/vggsound.csv": vggsound,
        f"vggsound/{CLIP_ID}_000030.mp4": b"", "vggsound/bbbbbbbbbbb_000030.mp4": b"",
        "esc50/meta/esc50.csv": folds,
        **{f"esc50/audio/{row.split(',')[0]}": b"" for row in rows},
        "audiocaps/test.csv": captions, "audiocaps/vggsound.csv": vggsound,
        "audiocaps/ccccccccccc_30.flac": b"",
    }  # fmt: skip


def _videos() -> dict[str, bytes | str]:
    names = [f"Class{chr(65 + n // 26)}{chr(97 + n % 26)}" for n in range(101)]
    train, test = (f"{names[0]}/v_{names[0]}_g{group}_c01.avi" for group in ("08", "01"))
    lists = "ucf101/ucfTrainTestlist"
    return {
        "msrvtt/MSRVTT_JSFUSION_test.csv": "key,vid_key,video_id,sentence\nr,m,video9,a dog\n",
        "msrvtt/videos/all/video9.mp4": b"",
        f"{lists}/classInd.txt": "".join(f"{n} {name}\n" for n, name in enumerate(names, 1)),
        f"{lists}/trainlist01.txt": f"{train} 1\n", f"{lists}/testlist01.txt": f"{test}\n",
        f"ucf101/UCF-101/{train}": b"", f"ucf101/UCF-101/{test}": b"",
    }  # fmt: skip


def _rooms(data: Path) -> None:
    lists = {}
    for split, items in (("train", ("kv1/a", "xtion/b")), ("test", ("kv2/c", "realsense/d"))):
        put(data / "sunrgbd/SUNRGBD", {f"{item}/scene.txt": "office" for item in items})
        places = [f"/n/fs/sun3d/data/SUNRGBD/{item}" for item in items]
        lists[f"all{split}"] = np.array([places], object)
    toolbox = put(data / "sunrgbd/SUNRGBDtoolbox/traintestSUNRGBD", {"readme": ""})
    scipy.io.savemat(toolbox / "allsplit.mat", lists)
    raw = put(data / "nyud", {"readme": ""})
    scipy.io.savemat(raw / "splits.mat", {"testNdxs": np.array([[1]], "<u2")})
    with h5py.File(raw / "nyu_depth_v2_labeled.mat", "w") as file:
        file.create_dataset("depths", (1, 640, 480), "f4")
        file.create_dataset("images", (1, 3, 640, 480), "u1")
        name = file.create_dataset(
            "#refs#/0", data=np.frombuffer("office".encode("utf-16-le"), "<u2")
        )
        file.create_dataset("sceneTypes", (1, 1), h5py.ref_dtype)[0] = [name.ref]


def _scans(raw: Path) -> None:
    for folder in ("main_split", "main_split_nobg"):
        path = raw / "h5_files" / folder / "test_objectdataset.h5"
        path.parent.mkdir(parents=True)
        with h5py.File(path, "w") as file:
            file.create_dataset("data", (2, 2048, 3), "f4")
            file.create_dataset("label", data=np.array([0, 1], np.int32))

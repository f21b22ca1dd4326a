"""Data of one's own: class folders, tables, tars and Hugging Face files, without code."""

import csv
import io
import json
import tarfile
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.datasets import image_folder, webdataset
from pipeline.errors import UserError
from tests.made_media import corners, saved
from tests.made_members import SENSOR, audio_bytes, depth_png, hum, waves
from tests.pipeline.datasets.conversions import converted, labels, put, rejected
from tests.tiny_world import npy_bytes, tiny_params

JPEG, PNG = saved(corners(), "jpeg"), saved(corners(), "png")
WAV = audio_bytes(hum(0.1))


def captions(members: dict[str, bytes]) -> list[str]:
    return json.loads(members["text.json"])["captions"]


def test_class_folders_are_read_at_any_depth(tmp_path: Path, capsys) -> None:
    raw = put(tmp_path / "raw", {
        "sea_gull/1.jpg": JPEG, "sea_gull/old/1.JPG": JPEG, "owl/1.png": PNG, "owl/1.jpg": JPEG,
        "owl/._1.jpg": b"Mac", "owl/notes.txt": "x", "loose.jpg": JPEG,
    })  # fmt: skip
    index, samples = converted(raw, "image_folder", "image")
    assert labels(index, samples) == {
        "sea_gull/1-jpg": ["sea_gull"], "sea_gull/old/1-JPG": ["sea_gull"],
        "owl/1-png": ["owl"], "owl/1-jpg": ["owl"],
    }  # fmt: skip
    assert index.words == ["owl", "sea gull"]
    said = capsys.readouterr().err
    assert "1 pictures are in no class folder and left out: loose.jpg" in said
    assert "owl/notes.txt" in said


def test_a_listed_picture_takes_few_bytes(tmp_path: Path) -> None:
    """Every process that prepares a million of them holds all."""
    raw = put(tmp_path / "raw", {f"gull/{number:08d}.jpg": b"" for number in range(3000)})
    source = replace(tiny_params(tmp_path).sources["renders"], converter="image_folder")
    source = replace(source, splits=["train"])
    image_folder.read(raw, "train", source)
    tracemalloc.start()
    listed = image_folder.read(raw, "train", source)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / len(listed.items) < 500


def test_split_folders_share_their_classes(tmp_path: Path) -> None:
    raw = put(
        tmp_path / "raw", {"train/a/1.jpg": JPEG, "train/b/1.jpg": JPEG, "test/b/2.jpg": JPEG}
    )
    index, samples = converted(raw, "image_folder", "image", "test")
    assert (index.classes, labels(index, samples)) == (["a", "b"], {"b/2-jpg": ["b"]})
    with pytest.raises(UserError, match="no split 'val', only train, test"):
        converted(raw, "image_folder", "image", "val")


def test_drawn_splits_are_disjoint_whole_and_stable(tmp_path: Path) -> None:
    raw = put(tmp_path / "raw", {f"a/{number}.jpg": JPEG for number in range(40)})
    settings = {"splits": ["train", "test"], "settings": {"held_out": 0.25}}
    keys = [converted(raw, "image_folder", "image", split, **settings)[1].keys()
            for split in ("train", "test")]  # fmt: skip
    assert not keys[0] & keys[1]
    assert len(keys[0]) + len(keys[1]) == 40
    assert 4 <= len(keys[1]) <= 18
    put(raw, {"b/new.jpg": JPEG})
    assert keys[1] <= converted(raw, "image_folder", "image", "test", **settings)[1].keys()


def test_an_unknown_setting_names_the_nearest(tmp_path: Path) -> None:
    raw = put(tmp_path / "raw", {"a/1.jpg": JPEG})
    with pytest.raises(UserError, match="'image_folder' 'heldout'; did you mean 'held_out'"):
        converted(raw, "image_folder", "image", settings={"heldout": 0.5})
    with pytest.raises(UserError, match=r"Expected `float`, got `str` - at `\$.held_out`"):
        converted(raw, "image_folder", "image", settings={"held_out": "half"})
    with pytest.raises(UserError, match="converter 'imagenet' has none"):
        converted(raw, "imagenet", "image", settings={"held_out": 0.5})
    with pytest.raises(UserError, match="expected a share that leaves samples"):
        converted(raw, "image_folder", "image", splits=["train", "test"],
                  settings={"held_out": 1.0})  # fmt: skip


def test_an_unknown_converter_names_those_of_own_data_first(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\(for data of your own: image_folder, csv, webdataset"):
        converted(put(tmp_path / "raw", {}), "folder", "image")


def table(rows: list[dict[str, str]]) -> bytes:
    """As a spreadsheet saves it: a byte order mark, CRLF, quotes."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return b"\xef\xbb\xbf" + file.getvalue().encode()


def test_a_table_merges_the_rows_of_a_file(tmp_path: Path) -> None:
    raw = put(tmp_path / "raw", {"a.wav": WAV, "x/b.wav": WAV, "calls.csv": table([
        {"file": "a.wav", "heard": "a hum, and \"more\"", "species": "owl"},
        {"file": "x/b.wav", "heard": "", "species": "gull"},
        {"file": "a.wav", "heard": "a drone", "species": "gull"},
    ])})  # fmt: skip
    own = {"table": "calls.csv", "path": "file", "caption": "heard", "label": "species"}
    index, samples = converted(raw, "csv", "audio", settings=own)
    assert labels(index, samples) == {"a-wav": ["gull", "owl"], "x/b-wav": ["gull"]}
    assert captions(samples["a-wav"]) == ['a hum, and "more"', "a drone"]
    assert samples["a-wav"]["audio.wav"] == WAV


def test_a_table_of_another_spreadsheet_is_read(tmp_path: Path) -> None:
    """Semicolons, Windows' paths, names with spaces and accents; tabs whatever its name."""
    rows = "path;label\r\nein Ort\\é 1.wav;owl\r\nb.wav;gull\r\n"
    raw = put(tmp_path / "raw", {"ein Ort/é 1.wav": WAV, "b.wav": WAV, "data.csv": rows})
    expected = {"ein Ort/é 1-wav": ["owl"], "b-wav": ["gull"]}
    assert labels(*converted(raw, "csv", "audio")) == expected
    put(raw, {"data.csv": rows.replace(";", "\t")})
    assert labels(*converted(raw, "csv", "audio")) == expected


def test_a_folder_around_class_folders_is_told(tmp_path: Path, capsys) -> None:
    raw = put(tmp_path / "raw", {"birds/owl/1.jpg": JPEG, "birds/gull/1.jpg": JPEG, ".git/x": b""})
    assert converted(raw, "image_folder", "image")[0].classes == ["birds"]
    assert f"if those in it are the classes: raw: {raw / 'birds'}" in capsys.readouterr().err


def test_a_table_says_splits_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    rows = [{"path": "a.npy", "label": "x", "split": "train"},
            {"path": "b.xyz", "label": "y", "split": "test"}]  # fmt: skip
    cloud = npy_bytes(np.random.default_rng(0).normal(size=(9, 3)))
    raw = put(tmp_path / "raw", {
        "a.npy": cloud, "b.xyz": "0 0 1\n1 0 0\n", "data.csv": table(rows),
    })  # fmt: skip
    index, samples = converted(raw, "csv", "points", splits=["train", "test"])
    assert labels(index, samples) == {"a-npy": ["x"]}
    wrong = {"caption": "says"}, {"path": "pth"}
    for settings, why in zip(
        wrong, ("unknown column 'says'; did you mean", "unknown column 'pth'")
    ):
        with pytest.raises(UserError, match=why):
            converted(raw, "csv", "points", settings=settings)
    put(raw, {"data.csv": table([{"path": "../a.npy", "label": "x"}])})
    with pytest.raises(UserError, match=r"expected paths from its own folder, found '../a.npy'"):
        converted(raw, "csv", "points")
    put(raw, {"data.csv": table([{"path": "a.npy", "labels": "x"}])})
    with pytest.raises(UserError, match="a column 'caption' or 'label', found path, labels"):
        converted(raw, "csv", "points")


def test_a_table_of_depth_maps_has_their_sensor(tmp_path: Path) -> None:
    raw = put(
        tmp_path / "raw",
        {
            "a.png": depth_png(waves()),
            "b.txt": "no map",
            "data.csv": "path,caption\na.png,a wave\nb.txt,no\nc.png,no\n",
        },
    )
    _, samples = converted(raw, "csv", "depth", settings={"sensor": SENSOR}, max_rejected=0.7)
    assert json.loads(samples["a-png"]["meta.json"])["depth"] == SENSOR
    assert rejected(raw)["b-txt"] == "b.txt: a source of depth reads files ending in .png"
    assert rejected(raw)["c-png"] == "c.png: No such file or directory"


def tar_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def test_tars_of_img2dataset_keep_their_keys_and_bytes(tmp_path: Path, capsys) -> None:
    raw = put(tmp_path / "raw", {
        "00000.tar": tar_of({
            "000000001.jpg": JPEG, "000000001.json": b'{"caption": "in json"}',
            "000000001.txt": b"a caption\n", "000000002.json": b"{}", "./._000000001.jpg": b"Mac",
        }),
        "00001.tar": tar_of({"000010000.webp": JPEG, "000010000.json": b'{"caption": "second"}'}),
        "00000_stats.json": "{}",
    })  # fmt: skip
    _, samples = converted(raw, "webdataset", "image")
    assert samples.keys() == {"000000001", "000010000"}
    assert samples["000000001"]["image.jpg"] == JPEG
    assert captions(samples["000000001"]) == ["a caption"]
    assert captions(samples["000010000"]) == ["second"]
    said = capsys.readouterr().err
    assert "1 samples have none of jpg jpeg png webp and are left out: 000000002" in said


def test_tars_with_class_numbers_need_the_names(tmp_path: Path) -> None:
    tars = {f"{split}/0.tar": tar_of({"x.a.png": PNG, "x.a.cls": number, "y.jpg": JPEG,
                                      "y.cls": b"7"})
            for split, number in (("train", b"1"), ("test", b"0"))}  # fmt: skip
    raw = put(tmp_path / "raw", tars)
    with pytest.raises(UserError, match=r"classnames.txt: not found; .* settings.classes"):
        converted(raw, "webdataset", "image")
    put(raw, {"classnames.txt": "cat\ndog\n"})
    index, samples = converted(raw, "webdataset", "image", max_rejected=0.5)
    assert labels(index, samples) == {"x-a": ["dog"]}
    assert rejected(raw)["y"] == "cls: expected a number below 2, found b'7'"


def test_tars_that_count_anew_keep_their_samples_apart(tmp_path: Path) -> None:
    raw = put(tmp_path / "raw", {
        "a/0.tar": tar_of({"0.jpg": JPEG, "0.txt": b"one"}),
        "b/0.tar": tar_of({"0.jpg": JPEG, "0.txt": b"two"}),
    })  # fmt: skip
    _, samples = converted(raw, "webdataset", "image")
    assert {key: captions(it) for key, it in samples.items()} == {
        "a/0/0": ["one"], "b/0/0": ["two"],
    }  # fmt: skip


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="counts bytes as Linux does")
def test_of_tars_only_the_headers_are_read(tmp_path: Path) -> None:
    whole = tar_of({f"{number}.jpg": bytes(60_000) for number in range(100)})
    raw = put(tmp_path / "raw", {"0.tar": whole})
    source = replace(tiny_params(tmp_path).sources["renders"], converter="webdataset")
    source = replace(source, splits=["train"])
    before = bytes_read()
    assert len(webdataset.read(raw, "train", source).items) == 100
    assert bytes_read() - before < len(whole) / 5


def bytes_read() -> int:
    """By this process so far, from files or what is kept of them in memory."""
    told = Path("/proc/self/io").read_text()
    return int(told.split("rchar: ")[1].split()[0])


@pytest.mark.parametrize("again", ["1.jpg", "./1.jpg", "1.JPG"])
def test_a_file_that_is_twice_in_a_tar_is_told(tmp_path: Path, again: str) -> None:
    whole = tar_of({"1.jpg": JPEG})
    one, rest = whole[: whole.index(b"\0" * 1024, len(JPEG))], tar_of({again: JPEG})
    raw = put(tmp_path / "raw", {"0.tar": one + bytes(-len(one) % 512) + rest})
    with pytest.raises(UserError, match=rf"0.tar: expected every file once, found '{again}' again"):
        converted(raw, "webdataset", "image")


def test_tars_that_may_have_been_cut_are_told(tmp_path: Path, capsys) -> None:
    """What a broken download leaves: nothing, or what ends where a file does."""
    whole = tar_of({"1.jpg": JPEG, "1.txt": b"one"})
    cut = whole[: whole.index(b"1.txt")]
    raw = put(tmp_path / "raw", {"0.tar": whole, "1.tar": cut, "2.tar": b""})
    _, samples = converted(raw, "webdataset", "image", max_rejected=0.5)
    assert samples.keys() == {"0/1"}
    said = capsys.readouterr().err
    assert "1 tars have no file in them: 2.tar" in said
    assert "1 tars have no end, as if cut behind a file: 1.tar" in said


def test_packed_tars_are_told(tmp_path: Path) -> None:
    raw = put(tmp_path / "raw", {"0.tar.gz": b""})
    with pytest.raises(
        UserError, match=r"expected .tar files, uncompressed, found none; .*0.tar.gz"
    ):
        converted(raw, "webdataset", "image")


def test_a_cut_tar_is_told(tmp_path: Path) -> None:
    raw = put(tmp_path / "raw", {"0.tar": tar_of({"1.jpg": JPEG})[:700]})
    with pytest.raises(UserError, match=r"0.tar: no readable tar \(an entry of"):
        converted(raw, "webdataset", "image")


def rows(label: pa.DataType | None = None) -> pa.Table:
    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    info = json.dumps({"info": {"features": features if label is None else {}}})
    pictures = [{"bytes": JPEG, "path": "a.jpg"}, {"bytes": PNG, "path": None},
                {"bytes": None, "path": "gone.jpg"}]  # fmt: skip
    numbers = pa.array([1, 0, 1], pa.int64()) if label is None else pa.array(["b", "a", "b"])
    columns = {"image": pictures, "label": numbers, "text": ["one", "two", "three"]}
    return pa.table(columns).replace_schema_metadata({"huggingface": info})


def save_to_disk(folder: Path, table: pa.Table) -> None:
    folder.mkdir(parents=True)
    path = str(folder / "data-00000-of-00001.arrow")
    with pa.OSFile(path, "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
        out.write_table(table, max_chunksize=2)


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_hugging_face_rows_have_bytes_classes_and_captions(tmp_path: Path, kind: str) -> None:
    raw = tmp_path / "raw"
    if kind == "arrow":
        save_to_disk(raw / "test", rows())
        put(raw, {"dataset_dict.json": "{}"})
    else:
        (raw / "data").mkdir(parents=True)
        pq.write_table(rows(), raw / "data" / "test-00000-of-00001.parquet", row_group_size=2)
    index, samples = converted(raw, "huggingface", "image", "test", max_rejected=0.5)
    assert sorted(labels(index, samples).values()) == [["cat"], ["dog"]]
    assert {tuple(sorted(it))[0] for it in samples.values()} == {"image.jpg", "image.png"}
    assert sorted(captions(it)[0] for it in samples.values()) == ["one", "two"]
    assert list(rejected(raw, "test").values()) == ["column image: the file's bytes are not in it"]
    with pytest.raises(UserError, match="no split 'train', only test"):
        converted(raw, "huggingface", "image")


def test_hugging_face_files_beside_named_splits_are_left_out(tmp_path: Path, capsys) -> None:
    raw = put(tmp_path / "raw", {"README.md": "pets"})
    for name in ("validation-00000-of-00001", "pets-train-00000-of-00001", "others"):
        pq.write_table(rows(), raw / f"{name}.parquet")
    _, samples = converted(raw, "huggingface", "image", "validation", max_rejected=0.5)
    assert all(key.startswith("validation-") for key in samples)
    said = capsys.readouterr().err
    assert "1 files are of no split by their names and left out: others.parquet" in said


def test_hugging_face_columns_are_found_or_named(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    save_to_disk(raw, rows(pa.string()))
    index, _ = converted(raw, "huggingface", "image", max_rejected=0.5)
    assert index.classes == ["a", "b"]
    with pytest.raises(UserError, match="unknown column 'txt'; did you mean 'text'"):
        converted(raw, "huggingface", "image", settings={"caption": "txt"})
    raw = put(tmp_path / "other" / "raw", {})
    save_to_disk(raw / "x", rows().drop_columns("image"))
    with pytest.raises(UserError, match="expected one Image or Audio column, found none among"):
        converted(raw, "huggingface", "image")

"""Files to embeddings: those that eval gives, in the order of the files, bad ones listed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from eval.models import student_model
from pipeline.decoding.depth import DepthSensor
from pipeline.errors import UserError
from pipeline.samples import decode_member
from pipeline.views import EVALUATION, ViewMaker, chain_for
from stage2_train.student import Student, files
from tests.made_members import SENSOR, every_member
from tests.stage2_train.student.conftest import EVERY_MODALITY, VIEWS
from tests.stage2_train.student.test_student import train_a_little

MEMBER_OF = {
    "image": "image.jpg", "video": "video.mp4", "points": "points.npy", "depth": "depth.png",
    "audio": "audio.flac",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file of each modality, named after it with the wrong ending; the depth's sensor beside."""
    for modality, member in MEMBER_OF.items():
        (tmp_path / f"{modality}.bin").write_bytes(every_member()[member])
    (tmp_path / "depth.json").write_text(json.dumps(SENSOR))
    return tmp_path


def paths(folder: Path) -> list[Path]:
    return [folder / f"{modality}.bin" for modality in MEMBER_OF]


def test_every_modality_is_encoded_as_eval_does_bit_for_bit(five: Student, folder: Path) -> None:
    found = train_a_little(five).encode_files(paths(folder))
    assert found.failed == {}
    assert found.modalities == tuple(MEMBER_OF)
    for modality, row in zip(MEMBER_OF, found.embeddings):
        maker = ViewMaker(chain_for(modality, modality), 7, VIEWS)
        view = maker(decode_member(every_member(), modality), "key", EVALUATION).array
        model = student_model(five, maker)
        assert torch.equal(row, model.encode([model.handed_on(view)])[0])


def test_rows_keep_the_order_of_the_files(five: Student, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(files, "BATCH", 2)
    train_a_little(five)
    expected = five.encode_files(paths(folder)).embeddings
    order = [4, 0, 2, 0, 1, 3, 0, 4, 2]
    shuffled = five.encode_files([paths(folder)[place] for place in order])
    torch.testing.assert_close(shuffled.embeddings, expected[order])
    assert len(set(map(tuple, expected.tolist()))) == 5


def test_bad_files_are_listed_and_the_others_encoded(openclip, folder: Path) -> None:
    (folder / "words.jpg").write_text("a chair")
    student = Student(openclip, replace(EVERY_MODALITY, modalities=("image",)), views=VIEWS)
    asked = [folder / "words.jpg", folder, folder / "image.bin", folder / "audio.bin", "none.npy"]
    found = student.encode_files(asked)
    assert found.embeddings.isnan().all(dim=1).tolist() == [True, True, False, True, True]
    assert found.modalities == (None, None, "image", None, None)
    told = {path.name: why for path, why in found.failed.items()}
    assert "expected an image (JPEG" in told["words.jpg"]
    assert "found a folder; name the files in it" in told[folder.name]
    assert told["audio.bin"] == "audio, which this student of image cannot encode"
    assert told["none.npy"] == "No such file or directory"


def test_a_sensor_can_be_given_for_all_and_depth_be_read_as_an_image(
    five: Student, folder: Path
) -> None:
    train_a_little(five)
    depth = folder / "depth.bin"
    beside = five.encode_files([depth]).embeddings
    (folder / "depth.json").unlink()
    assert "sensor is unknown" in five.encode_files([depth]).failed[depth]
    given = five.encode_files([depth], depth=DepthSensor(**SENSOR))
    assert torch.equal(given.embeddings, beside)
    assert five.encode_files(depth, modality="image").modalities == ("image",)


def test_normalised_rows_have_length_1_and_failures_stay_nan(five: Student, folder: Path) -> None:
    found = five.encode_files([folder / "image.bin", "none"], normalise=True).embeddings
    assert found.norm(dim=-1)[0] == pytest.approx(1)
    assert found[1].isnan().all()


@pytest.mark.parametrize("modality", MEMBER_OF)
def test_a_transform_takes_paths_bytes_and_decoded_samples(
    five: Student, folder: Path, modality: str
) -> None:
    transform = five.transform(modality, DepthSensor(**SENSOR))
    data = every_member()[MEMBER_OF[modality]]
    samples = [folder / f"{modality}.bin", data, decode_member(every_member(), modality)]
    batch = torch.stack([transform(sample) for sample in samples])
    assert torch.equal(batch[0], batch[1])
    assert torch.equal(batch[0], batch[2])
    assert five.encode(modality, batch).shape == (3, 16)


def test_wrong_requests_are_one_line(five: Student) -> None:
    with pytest.raises(UserError, match="no files to encode"):
        five.encode_files([])
    with pytest.raises(UserError, match="unknown modality 'sound'; did you mean"):
        five.encode_files(["a"], modality="sound")


def test_a_folder_without_views_encodes_what_the_model_itself_tells(openclip, folder: Path) -> None:
    older = Student(openclip, EVERY_MODALITY)
    assert older.encode_files([folder / "image.bin", folder / "audio.bin"]).failed == {}
    for modality, size in (("points", "points"), ("video", "video_stride")):
        with pytest.raises(UserError, match=rf"does not say views.{size}.*into student.json"):
            older.encode_files([folder / f"{modality}.bin"])


def test_embeddings_that_are_not_finite_are_an_error(five: Student, folder: Path) -> None:
    five.experts[0].mlp.up[0].shared.data.fill_(float("nan"))
    with pytest.raises(UserError, match="embeddings of image that are not finite"):
        five.encode_files([folder / "image.bin"])


def test_long_lists_show_their_progress(five: Student, folder: Path, monkeypatch) -> None:
    shown = []
    monkeypatch.setattr(files, "LONG", 2)
    monkeypatch.setattr(files.ProgressLine, "update", lambda _, done, note: shown.append(done))
    five.encode_files([folder / "image.bin"])
    five.encode_files([folder / "image.bin"] * 2)
    assert shown == [1, 2]

"""Checkpoints: which are kept, and what becomes of a damaged one."""

from pathlib import Path

import msgspec
import pytest
import torch
import torch.distributed.checkpoint as dcp

from pipeline.errors import UserError
from stage2_train.stream.order import Cursor
from stage2_train.training.checkpoint import Checkpoints, Progress


def save(checkpoints: Checkpoints, step: int, score: float = 0.0) -> None:
    cursors = {"objects": Cursor(step, 2 * step)}
    tensors = {"parameter.weight": torch.full((3,), float(step))}
    checkpoints.save(tensors, Progress(step=step, cursors=cursors, score=score))


def steps(checkpoints: Checkpoints) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in checkpoints.folder.iterdir())


def test_a_checkpoint_comes_back_whole(tmp_path: Path) -> None:
    checkpoints, tensors = Checkpoints(tmp_path, {}), {"parameter.weight": torch.zeros(3)}
    assert checkpoints.resume(tensors) is None
    save(checkpoints, 4)
    expected = torch.rand(2)  # what comes next when the training goes on
    progress = checkpoints.resume(tensors)
    assert progress is not None
    assert (progress.step, progress.cursors) == (4, {"objects": Cursor(4, 8)})
    assert torch.equal(tensors["parameter.weight"], torch.full((3,), 4.0))
    assert torch.equal(torch.rand(2), expected)


def test_a_gpu_goes_on_from_what_was_saved_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints, tensors = Checkpoints(tmp_path, {}), {"parameter.weight": torch.zeros(3)}
    save(checkpoints, 4)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda: torch.zeros(16, dtype=torch.uint8))
    assert checkpoints.resume(tensors) is not None
    assert torch.equal(tensors["parameter.weight"], torch.full((3,), 4.0))


def test_kept_are_the_two_latest_the_best_and_every_nth(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, {}, keep_every=4)
    for step, score in zip(range(1, 10), (0.1, 0.2, 0.9, 0.3, 0.2, 0.9, 0.1, 0.3, 0.5)):
        save(checkpoints, step, score)
    assert steps(checkpoints) == [4, 6, 8, 9]  # of two equally good ones the later


@pytest.mark.parametrize("damage", ["*.distcp", ".metadata", "progress.json"])
@pytest.mark.parametrize("how", ["cut", "changed", "gone"])
def test_a_damaged_latest_is_named_and_the_one_before_taken(
    tmp_path: Path, damage: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints, tensors = Checkpoints(tmp_path, {}), {"parameter.weight": torch.zeros(3)}
    save(checkpoints, 1)
    save(checkpoints, 2)
    file = next((checkpoints.folder / "step-00000002").glob(damage))
    data = file.read_bytes()
    if how == "gone":
        file.unlink()
    else:
        middle = len(data) // 2
        other = bytes([data[middle] ^ 1]) + data[middle + 1 :]
        file.write_bytes(data[:middle] + (b"" if how == "cut" else other))
    progress = checkpoints.resume(tensors)
    assert progress is not None
    assert progress.step == 1
    assert torch.equal(tensors["parameter.weight"], torch.ones(3))
    assert "step-00000002: damaged checkpoint passed over" in capsys.readouterr().out
    save(checkpoints, 2)  # trained again, it takes the damaged one's place
    assert steps(checkpoints) == [1, 2]
    progress = checkpoints.latest()
    assert progress is not None
    assert progress.step == 2


def test_no_flipped_bit_of_how_far_it_came_is_believed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, {})
    save(checkpoints, 1)
    save(checkpoints, 2)
    newest = checkpoints.latest()
    assert newest is not None
    file = checkpoints.folder_of(2) / "progress.json"
    good = file.read_bytes()
    for place in range(len(good)):
        flipped = good[place] ^ 1 << place % 8
        file.write_bytes(good[:place] + bytes([flipped]) + good[place + 1 :])
        progress = checkpoints.latest()
        assert progress is not None
        assert progress.step == 1 or progress.sealed() == newest  # but for the seal's own name


def test_of_older_versions_they_have_no_seal_and_tell_their_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = Checkpoints(tmp_path, {})
    save(checkpoints, 1)
    file = checkpoints.folder_of(1) / "progress.json"
    known = msgspec.json.decode(file.read_bytes())
    del known["xxh3"]
    file.write_bytes(msgspec.json.encode(known))
    progress = checkpoints.latest()
    assert progress is not None
    assert progress.step == 1
    file.parent.rename(checkpoints.folder_of(3))
    assert checkpoints.latest() is None
    assert "step-00000003: damaged checkpoint passed over" in capsys.readouterr().out


def test_a_checkpoint_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dcp.FileSystemWriter, "write_data", full)
    checkpoints = Checkpoints(tmp_path, {})
    with pytest.raises(UserError, match=r"step-00000001.partial: rank 0 .*No space left"):
        save(checkpoints, 1)
    assert checkpoints.latest() is None


def test_half_a_checkpoint_is_none(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, {})
    save(checkpoints, 1)
    (checkpoints.folder / "step-00000001").rename(checkpoints.folder / "step-00000001.partial")
    assert checkpoints.latest() is None


def test_another_recipe_is_another_folder(tmp_path: Path) -> None:
    save(Checkpoints(tmp_path, {"seed": 1}), 1)
    assert Checkpoints(tmp_path, {"seed": 2}).latest() is None

"""The student: CLIP at first, trainable in every part, portable, and strict about what it loads."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.config.student import ExpertCounts
from pipeline.errors import UserError
from pipeline.openclip import OpenClip, load_openclip
from stage2_train.student import Student
from stage2_train.student.portable import load_projectors
from stage2_train.student.projectors import FeatureProjectors
from stage2_train.student.tokenizers import group_points
from stage2_train.training.objectives import load_balance
from tests.stage2_train.student.conftest import CONFIG
from tests.tiny_world import CLIP_CONFIG, make_clip


def images(count: int = 5) -> Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def clouds(count: int = 4) -> Tensor:
    drawn = torch.randn(count, 40, 3, generator=torch.Generator().manual_seed(1))
    return drawn / drawn.norm(dim=-1).amax(dim=-1)[:, None, None]


def groups() -> tuple[Tensor, Tensor]:
    pairs = [group_points(cloud, 8, 4) for cloud in clouds().numpy()]
    neighbourhoods, centres = (torch.from_numpy(np.stack(parts)) for parts in zip(*pairs))
    return neighbourhoods, centres


def train_a_little(student: Student) -> Student:
    """Experts that do something: their up-projections leave zero."""
    generator = torch.Generator().manual_seed(2)
    for parameter in student.trainable().values():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return student


@pytest.mark.parametrize("count", [1, 5])
def test_an_untrained_student_sees_images_as_clip_bit_for_bit(
    student: Student, openclip: OpenClip, count: int
) -> None:
    with torch.no_grad():
        output = student("image", images(count))
        assert torch.equal(output.embedding, openclip.model.encode_image(images(count)))


def test_experts_on_the_attention_start_as_clip_too(openclip: OpenClip) -> None:
    student = Student(openclip, replace(CONFIG, adapt_attention=True))
    expected = openclip.encode_image(images())
    torch.testing.assert_close(student.encode("image", images()), expected)


def test_the_last_blocks_shortcut_changes_rounding_only(student: Student) -> None:
    train_a_little(student)
    short, whole = student.train()("points", clouds()), student.eval()("points", clouds())
    torch.testing.assert_close(short.embedding, whole.embedding)
    assert short.hidden.shape == (4, 32)
    assert short.use.shape == short.probability.shape == (2, 4)
    torch.testing.assert_close(short.use.sum(-1), torch.ones(2))


@pytest.mark.parametrize("attention", [False, True])
def test_one_mini_batch_of_each_modality_reaches_every_parameter(
    openclip: OpenClip, attention: bool
) -> None:
    student = train_a_little(Student(openclip, replace(CONFIG, adapt_attention=attention)))
    outputs = [student.train()("image", images()), student("points", clouds())]
    loss = sum(o.embedding.square().sum() + load_balance(o.use, o.probability) for o in outputs)
    (loss * student.logit_scale).backward()
    assert [n for n, p in student.trainable().items() if p.grad is None] == []
    assert [n for n, p in student.trainable().items() if not p.grad.any()] == []  # type: ignore[union-attr]
    assert all(p.grad is None for p in student.clip.parameters())


def test_modalities_share_experts_and_keep_their_own(student: Student) -> None:
    train_a_little(student).eval()
    with torch.no_grad():
        before = student.encode("image", images())
        student.experts[0].mlp.up[0].owned["points"].data.zero_()
        assert torch.equal(student.encode("image", images()), before)
        student.experts[0].mlp.up[0].shared.data.zero_()
        assert not torch.equal(student.encode("image", images()), before)


def test_half_precision_autocast_trains(student: Student) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = train_a_little(student).train()("points", clouds())
    assert output.probability.dtype == torch.float32
    output.embedding.float().sum().backward()
    full = student.eval()("points", clouds()).embedding
    assert torch.cosine_similarity(output.embedding.float(), full).min() > 0.99


def test_the_whole_forward_is_one_graph_for_compile(student: Student) -> None:
    compiled = torch.compile(student.eval(), backend="eager", fullgraph=True)
    with torch.no_grad():
        expected = student("points", groups()).embedding
        torch.testing.assert_close(compiled("points", groups()).embedding, expected)


def test_seeds_decide_the_weights_and_the_global_generator_is_left_alone(
    openclip: OpenClip,
) -> None:
    state = torch.random.get_rng_state()
    weights = [dict(Student(openclip, CONFIG, seed=s).trainable()) for s in (3, 3, 4)]
    assert torch.equal(state, torch.random.get_rng_state())
    name = "tokenizers.points.pointnet.local.weight"
    assert torch.equal(weights[0][name], weights[1][name])
    assert not torch.equal(weights[0][name], weights[2][name])


def test_an_unknown_modality_names_the_nearest(openclip: OpenClip, student: Student) -> None:
    with pytest.raises(UserError, match="unknown modality 'point'; did you mean 'points'?"):
        student("point", clouds())
    with pytest.raises(UserError, match="unknown modality 'imagee'; did you mean 'image'?"):
        Student(openclip, replace(CONFIG, modalities=("imagee",)))


def test_a_trunk_without_class_token_is_refused(openclip: OpenClip) -> None:
    model = nn.Module()
    model.visual = nn.Linear(2, 2)
    with pytest.raises(UserError, match="no plain open_clip ViT"):
        Student(replace(openclip, model=model), CONFIG)


def test_saved_and_loaded_it_encodes_the_same(student: Student, tmp_path: Path) -> None:
    train_a_little(student).save(tmp_path)
    loaded = Student.load(tmp_path)
    assert replace(loaded.config, arch=CONFIG.arch) == CONFIG
    for modality, batch in (("image", images()), ("points", clouds().numpy())):
        assert torch.equal(loaded.encode(modality, batch), student.encode(modality, batch))
    grouped = tuple(part.numpy() for part in groups())
    torch.testing.assert_close(loaded.encode("points", grouped), loaded.encode("points", clouds()))
    assert loaded.encode_text(["a ball", "a stick"]).shape == (2, 16)


def test_the_file_holds_trainable_tensors_only(student: Student, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    student.save(tmp_path)
    assert set(load_file(tmp_path / "student.safetensors")) == set(student.trainable())
    assert {path.name for path in tmp_path.iterdir()} == {
        "student.json", "student.safetensors", "clip",
    }  # fmt: skip


def test_projectors_saved_along_come_back(
    student: Student, openclip: OpenClip, tmp_path: Path
) -> None:
    projectors = FeatureProjectors(student.width, {"ulip": 24}, "mlp", seed=5)
    student.save(tmp_path, projectors)
    hidden = torch.randn(2, student.width)
    again = load_projectors(tmp_path, student.width)
    assert torch.equal(again("ulip", hidden), projectors("ulip", hidden))
    assert Student.load(tmp_path, openclip=openclip).config.rank == student.config.rank


def test_a_checkpoint_of_another_clip_width_names_the_first_tensor(
    student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    student.save(tmp_path)
    monkeypatch.setitem(CLIP_CONFIG["vision_cfg"], "width", 64)  # type: ignore[arg-type]
    wide = load_openclip(f"local-dir:{make_clip(tmp_path / 'wide')}")
    where = r"student.safetensors: 'experts.0.mlp.down.0.owned.image': "
    with pytest.raises(UserError, match=where + r"expected shape \[8, 64\], found shape \[8, 32\]"):
        Student.load(tmp_path, openclip=wide)


def test_other_clip_weights_are_refused_with_both_hashes(student: Student, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    student.save(tmp_path)
    other = make_clip(tmp_path / "other")
    tensors = load_file(other / "open_clip_model.safetensors")
    tensors["visual.proj"] += 1
    save_file(tensors, other / "open_clip_model.safetensors")
    with pytest.raises(UserError, match=r"weights_sha256 is '[0-9a-f]{64}', expected"):
        Student.load(tmp_path, openclip=load_openclip(f"local-dir:{other}"))


def test_an_edited_config_of_the_clip_is_refused(student: Student, tmp_path: Path) -> None:
    student.save(tmp_path / "student")
    clip = make_clip(tmp_path / "clip")
    config = json.loads((clip / "open_clip_config.json").read_text())
    config["model_cfg"]["quick_gelu"] = True
    (clip / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="activation is 'QuickGELU', expected 'GELU'"):
        Student.load(tmp_path / "student", openclip=load_openclip(f"local-dir:{clip}"))


def edit_json(folder: Path, change: Callable[[dict], object]) -> None:
    card = json.loads((folder / "student.json").read_text())
    change(card)
    (folder / "student.json").write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "student.json").unlink(), r"student.json: no such file"),
        (lambda f: (f / "student.json").write_text("{"), r"student.json: .*truncated; train it"),
        (lambda f: (f / "student.json").write_text("[]"), r"student.json: .*got `array`; train it"),
        (lambda f: edit_json(f, lambda c: c.update(format=9)), "layout version 3, found 9"),
        (lambda f: edit_json(f, lambda c: c["config"].update(top_k=9)), "top_k must be from 1"),
        (lambda f: edit_json(f, lambda c: c["config"].update(rank="x")), "student.json: .*rank"),
        (lambda f: (f / "student.safetensors").unlink(), r"student.safetensors: no such file"),
        (
            lambda f: (f / "student.safetensors").write_bytes(b"no"),
            r"student.safetensors: expected",
        ),
    ],
)
def test_a_damaged_folder_is_one_clear_line(
    student: Student, openclip: OpenClip, tmp_path: Path, damage: Callable, message: str
) -> None:
    student.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(UserError, match=message) as error:
        Student.load(tmp_path, openclip=openclip)
    assert "\n" not in str(error.value)


def test_another_config_names_the_tensor_that_is_missing(
    student: Student, openclip: OpenClip, tmp_path: Path
) -> None:
    student.save(tmp_path)
    edit_json(tmp_path, lambda card: card["config"].update(modalities=["image"]))
    with pytest.raises(UserError, match=r"owned.points': expected no such tensor, found shape"):
        Student.load(tmp_path, openclip=openclip)


def test_shared_experts_alone_still_train(openclip: OpenClip) -> None:
    config = replace(CONFIG, experts=ExpertCounts(shared=2, owned=0))
    Student(openclip, config).train()("image", images()).embedding.sum().backward()

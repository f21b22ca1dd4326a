"""A walk over every input that determines a number: change it, and what was made of it is refused.

Each line changes one thing in a world whose stores are complete. Either stage 2 refuses the store
and names what differs, or the training is another one and resumes nothing.
"""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from huggingface_hub import constants
from msgspec import structs
from open_clip.pretrained import _PRETRAINED
from open_clip.tokenizer import default_bpe
from safetensors.torch import load_file, save_file

from eval.ablation import recipe_folder
from pipeline import prompts
from pipeline.atomic import write_atomically
from pipeline.config import Params
from pipeline.dvc_stage import require_watched
from pipeline.errors import UserError
from pipeline.identity import fingerprint
from pipeline.openclip import DIR_CONFIG, DIR_WEIGHTS, load_openclip
from pipeline.shards import ShardIndex, read_index, write_index
from pipeline.views import chains
from stage1_extract.extraction import Extraction
from stage1_extract.proof import verify
from stage2_train.stream.join import Draw
from stage2_train.stream.order import Cursor
from stage2_train.training.assembly import assemble, recipe
from stage2_train.training.logbook import Logbook
from stage2_train.training.trainer import Trainer
from tests.stage2_train.stream.test_join import make_stream
from tests.stage2_train.training.trainings import params_of
from tests.tiny_world import FakeTeacher

Change = Callable[[Path, Params, pytest.MonkeyPatch], Params]


def within(params: Params, table: str, name: str, **values: Any) -> Params:
    """The params with some fields of one entry of a table changed."""
    entries = getattr(params, table)
    return replace(params, **{table: {**entries, name: replace(entries[name], **values)}})


def seed(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    return replace(params, seed=6)


def sizes(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    return replace(params, views=replace(params.views, points=32))


def chain(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    pair = ("points", "points")
    patch.setitem(chains._CHAINS, pair, replace(chains._CHAINS[pair], description="another; v9"))
    return params


def template_texts(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    patch.setitem(prompts.TEMPLATES, "photo", prompts.PHOTO[:1])
    return params


def template_name(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    return within(params, "sources", "objects", prompts="scene")


def own_templates(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    return within(params, "sources", "objects", prompts=("a {}.",))


def class_words(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    changed_index(root, lambda index: replace(index, class_words=["a ball", "a rod"]))
    return params


def precision(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    return within(params, "teachers", "fake", precision="bfloat16")


def stored_dtype(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    return within(params, "teachers", "fake", store="int8")


def change_tensor(folder: Path) -> None:
    tensors = load_file(folder / DIR_WEIGHTS)
    tensors["visual.proj"] += 1
    save_file(tensors, folder / DIR_WEIGHTS)


def change_config(folder: Path, section: str, **values: Any) -> None:
    config = json.loads((folder / DIR_CONFIG).read_text())
    config[section] |= values
    (folder / DIR_CONFIG).write_text(json.dumps(config))


def teacher_weights(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    change_tensor(root / "clip")
    return params


def teacher_config(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    change_config(root / "clip", "preprocess_cfg", std=[0.5] * 3)
    return params


def missing_file(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    return within(params, "teachers", "fake", weights=str(root / "gone.pt"))


def hub_file(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    repo = root / "hub" / "models--org--repo"
    for file, text in (("refs/main", "c0ffee"), ("snapshots/c0ffee/w.pt", "new weights")):
        (repo / file).parent.mkdir(parents=True)
        (repo / file).write_text(text)
    patch.setattr(constants, "HF_HUB_CACHE", str(root / "hub"))
    return within(params, "teachers", "fake", weights="hf://org/repo/w.pt")


def pinned_hash(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    return within(params, "teachers", "fake", weights="hf://org/repo/w.pt", sha256="1" * 64)


def changed_index(root: Path, change: Callable[[ShardIndex], ShardIndex]) -> None:
    folder = root / "shards" / "objects" / "train"
    write_index(folder, change(read_index(folder)))


def class_names(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    changed_index(root, lambda index: replace(index, classes=["ball", "rod"]))
    return params


def other_clip(root: Path, params: Params, section: str, **values: Any) -> Params:
    """The student upon a CLIP of the teacher's weights and another config."""
    shutil.copytree(root / "clip", root / "other")
    change_config(root / "other", section, **values)
    return replace(params, student=replace(params.student, arch=f"local-dir:{root / 'other'}"))


def anchor_activation(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    return other_clip(root, params, "model_cfg", quick_gelu=True)


def anchor_constants(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    return other_clip(root, params, "preprocess_cfg", mean=[0.4] * 3)


def tar_content(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    tar = root / "shards" / "objects" / "train" / "000000.tar"
    content = bytearray(tar.read_bytes())
    content[len(content) // 2] ^= 1
    tar.write_bytes(content)
    make_stream(root)(Draw("objects", Cursor(), range(16)))
    return params


def weights_with_nan(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    tensors = load_file(root / "clip" / DIR_WEIGHTS)
    tensors["visual.proj"][0, 0] = float("nan")
    save_file(tensors, root / "clip" / DIR_WEIGHTS)
    return replace(params, train=replace(params.train, teachers=()))


def drifted_code(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    class Changed(FakeTeacher):
        def preprocess(self, view: np.ndarray) -> torch.Tensor:
            return super().preprocess(view)[:, [1, 0, 2]]

    assert verify(Extraction(params, "fake-objects", Changed()), 8).drifted
    return params


def positions_of_another_size(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    vision = json.loads((root / "clip" / DIR_CONFIG).read_text())["model_cfg"]["vision_cfg"]
    change_config(root / "clip", "model_cfg", vision_cfg={**vision, "image_size": 48})
    return replace(params, train=replace(params.train, teachers=()))


def settings_of_a_file(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    config = json.loads((root / "clip" / DIR_CONFIG).read_text())["model_cfg"]
    (root / "walked-arch.json").write_text(json.dumps(config))
    open_clip.add_model_config(root / "walked-arch.json")
    patch.setitem(_PRETRAINED, "walked-arch", _PRETRAINED["ViT-B-32"])
    shutil.copy(root / "clip" / DIR_WEIGHTS, root / "alone.safetensors")
    named = {"arch": "walked-arch", "weights": str(root / "alone.safetensors")}
    student = replace(params.student, **named)
    return replace(params, student=student, train=replace(params.train, teachers=()))


REFUSED = {
    seed: "views.seed is 5, expected 6",
    sizes: "views.points is 64, expected 32",
    chain: "views.chain is .*, expected 'another; v9'",
    template_texts: "text.templates is",
    template_name: "text.prompts is 'photo', expected 'scene'",
    own_templates: "text.prompts is 'photo', expected 'own'",
    class_words: "text_features: missing, damaged or of other classes",
    precision: "teacher.precision is 'float32', expected 'bfloat16'",
    stored_dtype: "storage.dtype is 'float16', expected 'int8'",
    teacher_weights: "teacher.weights_sha256 is",
    teacher_config: "teacher.arch_sha256 is",
    missing_file: r"gone.pt are not on this machine.* or pin teachers.fake.sha256: 0000",
    hub_file: "teacher.weights_sha256 is '0000",
    pinned_hash: "teacher.weights_sha256 is '0000.*, expected '1111",
    class_names: "text_features: missing, damaged or of other classes",
    tar_content: "000000.tar: expected xxh3",
    weights_with_nan: "tensor 'visual.proj' holds NaN",
    drifted_code: "drifted.json: the teacher no longer gives what is cached",
    positions_of_another_size: "'visual.positional_embedding' of shape",
    settings_of_a_file: "a file does not say its activation and preprocessing",
    anchor_activation: r"train.anchor: .*\(activation is 'GELU', expected 'QuickGELU'",
    anchor_constants: r"train.anchor: .*\(preprocessing is .*mean \(0.5.*expected .*mean \(0.4",
}


@pytest.mark.parametrize(("change", "named"), REFUSED.items())
def test_stage_2_refuses_what_was_made_of_something_else(
    world: Path, monkeypatch: pytest.MonkeyPatch, change: Change, named: str
) -> None:
    with pytest.raises(UserError, match=named):
        assemble(change(world, params_of(world), monkeypatch), torch.device("cpu"), 1)


def trained_clip_config(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    change_config(root / "clip", "preprocess_cfg", mean=[0.4] * 3)
    return params


def captions(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    changed_index(root, lambda index: replace(index, captions=[*index.captions, "one more"]))
    return params


def settings(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    return replace(params, train=replace(params.train, peak_lr=3e-3))


def tar_hashes(root: Path, params: Params, patch: pytest.MonkeyPatch) -> Params:
    def renamed(index: ShardIndex) -> ShardIndex:
        return replace(
            index, shards=[structs.replace(index.shards[0], xxh3="0"), *index.shards[1:]]
        )

    changed_index(root, renamed)
    return params


ANOTHER_TRAINING = (
    teacher_weights, trained_clip_config, captions, settings, template_texts, class_names,
    seed, tar_hashes, own_templates, class_words,
)  # fmt: skip


@pytest.mark.parametrize("change", ANOTHER_TRAINING, ids=lambda one: one.__name__)
def test_a_training_of_something_else_is_another_training(
    world: Path, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    """Without teachers, so that no store refuses first."""
    params = params_of(world, teachers=[])
    before = training_of(params)
    assert training_of(params) == before
    assert training_of(change(world, params, monkeypatch)) != before


def training_of(params: Params) -> str:
    return fingerprint(recipe(params, assemble(params, torch.device("cpu"), 1)))


def test_a_resumed_training_does_not_go_on_upon_another_clip(world: Path) -> None:
    params = params_of(world, teachers=[])
    before = Trainer(params).checkpoints.folder
    change_tensor(world / "clip")
    assert Trainer(params).checkpoints.folder != before


def test_a_library_that_decodes_otherwise_is_found_at_the_join(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = chains._CHAINS["points", "points"]
    drifted = replace(mine, apply=lambda *drawn: mine.apply(*drawn) + np.float32(1e-6))
    monkeypatch.setitem(chains._CHAINS, ("points", "points"), drifted)
    with pytest.raises(UserError, match="other content"):
        make_stream(world)(Draw("objects", Cursor(), range(4)))


def test_a_clips_identity_holds_its_merges(world: Path, tmp_path: Path) -> None:
    clip = world / "clip"
    change_config(clip, "model_cfg", text_cfg=_with_merges(clip))
    (clip / "bpe.txt.gz").write_bytes(Path(default_bpe()).read_bytes())
    before = load_openclip(f"local-dir:{clip}").identity
    lines = gzip.decompress((clip / "bpe.txt.gz").read_bytes()).decode().split("\n")
    lines[1], lines[2] = lines[2], lines[1]
    (clip / "bpe.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    after = load_openclip(f"local-dir:{clip}").identity
    assert {name for name in before if before[name] != after[name]} == {"merges_sha256"}


def _with_merges(clip: Path) -> dict[str, Any]:
    text = json.loads((clip / DIR_CONFIG).read_text())["model_cfg"]["text_cfg"]
    return {**text, "tokenizer_kwargs": {"bpe_path": "bpe.txt.gz"}}


def logs_of_two_recipes(root: Path, params: Params) -> None:
    with Logbook(root / "runs", "first", 0, 2) as log:
        log.step(1, {"loss": 1.0}, 1, 0.0)
    second = Logbook(root / "runs", "second", 0, 2)
    assert second.set_aside == root / "runs" / "log.first.jsonl"


def outputs_behind_a_link(root: Path, params: Params) -> None:
    (root / "cached").write_text("old")
    (root / "metrics.json").hardlink_to(root / "cached")
    write_atomically(root / "metrics.json", b"new")
    assert (root / "cached").read_text() == "old"


def ablations_of_two_recipes(root: Path, params: Params) -> None:
    slower = replace(params, train=replace(params.train, peak_lr=1e-5))
    assert recipe_folder(params) != recipe_folder(slower)


def values_of_another_convention(root: Path, params: Params) -> None:
    student = assemble(params, torch.device("cpu"), 1).student
    with pytest.raises(UserError, match="expected uint8 pixels"):
        student.encode(
            "image", np.linspace(0, 1, 3 * 32 * 32, dtype=np.float32).reshape(1, 3, 32, 32)
        )
    assert student.encode_text("a chair").shape == (1, 16)


KEPT_APART = (
    logs_of_two_recipes, outputs_behind_a_link, ablations_of_two_recipes,
    values_of_another_convention,
)  # fmt: skip


@pytest.mark.parametrize("look", KEPT_APART, ids=lambda one: one.__name__)
def test_what_has_no_identity_of_its_own_is_kept_apart(
    world: Path, look: Callable[[Path, Params], None]
) -> None:
    look(world, params_of(world))


def test_within_dvc_a_file_that_it_does_not_watch_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, outside = tmp_path / "weights" / "w.pt", tmp_path / "elsewhere.pt"
    require_watched([inside, outside], tmp_path / "weights", "teachers.ulip")
    monkeypatch.setenv("DVC_STAGE", "extract@ulip-objects")
    require_watched([inside], tmp_path / "weights", "teachers.ulip")
    with pytest.raises(UserError, match=r"teachers.ulip: .*elsewhere.pt lies outside .*weights"):
        require_watched([inside, outside], tmp_path / "weights", "teachers.ulip")

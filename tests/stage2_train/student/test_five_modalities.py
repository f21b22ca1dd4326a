"""One student of every modality: trainable in every part, seeded, portable, one graph each."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.openclip import OpenClip
from stage2_train.student import Student
from tests.stage2_train.student.conftest import EVERY_MODALITY
from tests.stage2_train.student.made_batches import every_batch


@pytest.mark.parametrize("modality", EVERY_MODALITY.modalities)
def test_the_gradient_reaches_every_parameter_of_a_tokenizer(five: Student, modality: str) -> None:
    for experts in five.experts:  # their up-projections leave zero
        experts.mlp.up[0].shared.data += 0.1
    five.train()(modality, every_batch()[modality]).embedding.square().sum().backward()
    gradients = {name: p.grad for name, p in five.tokenizers[modality].named_parameters()}
    assert [name for name, grad in gradients.items() if grad is None or not grad.any()] == []
    assert all(p.grad is None for p in five.clip.parameters())


def test_the_seed_alone_decides_the_first_weights(openclip: OpenClip) -> None:
    first, again, other = (Student(openclip, EVERY_MODALITY, seed=s).trainable() for s in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    kernel = "tokenizers.audio.patches.weight"
    assert not torch.equal(first[kernel], other[kernel])


def test_saved_and_loaded_it_encodes_every_modality_the_same(five: Student, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(2)
    for parameter in five.trainable().values():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    five.save(tmp_path)
    loaded = Student.load(tmp_path)
    assert replace(loaded.config, arch=EVERY_MODALITY.arch) == EVERY_MODALITY
    for modality, batch in every_batch().items():
        embedding = loaded.encode(modality, batch)
        assert embedding.shape == (3, 16)
        assert torch.equal(embedding, five.encode(modality, batch))


@pytest.mark.parametrize("modality", ["video", "depth"])
def test_the_new_tokenizers_compile_as_one_graph(five: Student, modality: str) -> None:
    batch = every_batch()[modality]
    compiled = torch.compile(five.eval(), backend="eager", fullgraph=True)
    with torch.no_grad():
        expected = five(modality, batch).embedding
        torch.testing.assert_close(compiled(modality, batch).embedding, expected)


@pytest.mark.parametrize("modality", EVERY_MODALITY.modalities)
def test_half_precision_autocast_comes_close(five: Student, modality: str) -> None:
    batch = every_batch()[modality]
    full = five.encode(modality, batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = five.encode(modality, batch)
    assert torch.cosine_similarity(half, full).min() > 0.99

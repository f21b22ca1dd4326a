"""A block as a GPU trains it: the outputs, routings and gradients of the block as it is written."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Generator, Tensor

from pipeline.config.student import ExpertCounts, StudentConfig
from stage2_train.student.adapted_block import BlockExperts, adapted
from stage2_train.student.fused_block import fused

WIDTH = 16
CONFIG = StudentConfig(modalities=("image", "points"))


def trained(config: StudentConfig) -> tuple[BlockExperts, ResidualAttentionBlock]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        block = ResidualAttentionBlock(WIDTH, 4).requires_grad_(False)
    generator = Generator().manual_seed(1)
    experts = BlockExperts(block, config, generator)
    for parameter in experts.parameters():
        parameter.data.normal_(std=0.3, generator=generator)
    return experts, block


def results(run: Callable[..., Any], config: StudentConfig, class_only: bool) -> dict[str, Tensor]:
    experts, block = trained(config)
    x = torch.randn(2, 9, WIDTH, generator=Generator().manual_seed(2)).requires_grad_()
    y, routings = run(experts, block, "points", x, class_only)
    total = y.sin().sum()
    for routing in routings:
        total = total + (routing.probability * torch.arange(len(routing.use))).sum()
    total.backward()
    assert x.grad is not None
    gradients = {n: p.grad for n, p in experts.named_parameters() if p.grad is not None}
    use = {f"use {i}": routing.use for i, routing in enumerate(routings)}
    return {"output": y.detach(), "x": x.grad, **use, **gradients}


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """But for rounding, beside the size of each."""
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert (found[name] - tensor).norm() <= 1e-4 * tensor.norm(), name


@pytest.mark.parametrize("class_only", [False, True])
@pytest.mark.parametrize(
    "change",
    [{}, {"rank": 3, "top_k": 1}, {"experts": ExpertCounts(owned=0)}, {"adapt_attention": True}],
)
def test_it_is_the_same_block(change: dict[str, Any], class_only: bool) -> None:
    config = replace(CONFIG, **change)
    expected, found = (results(run, config, class_only) for run in (adapted, fused))
    assert_equal(found, expected)


def test_the_compiler_keeps_its_gradients() -> None:
    """It loses those of a function of its own that changes a tensor in place."""
    compiled = torch.compile(fused, backend="aot_eager", fullgraph=True)
    expected, found = (results(run, CONFIG, False) for run in (fused, compiled))
    assert_equal(found, expected)


def test_in_bfloat16_it_is_as_near_to_float32_as_the_block_as_written() -> None:
    def low(run: Callable[..., Any]) -> Callable[..., Any]:
        def under_autocast(experts: Any, block: Any, modality: str, x: Tensor, only: bool) -> Any:
            for linear in (block.mlp.c_fc, block.mlp.c_proj, block.attn.out_proj):
                linear.to(torch.bfloat16)
            for packed in (block.attn.in_proj_weight, block.attn.in_proj_bias):
                packed.data = packed.data.to(torch.bfloat16)
            with torch.autocast("cpu", torch.bfloat16):
                y, routings = run(experts, block, modality, x.to(torch.bfloat16), only)
            return y.float(), routings

        return under_autocast

    expected = results(adapted, CONFIG, False)
    written, found = (results(low(run), CONFIG, False) for run in (adapted, fused))
    for name, tensor in expected.items():
        allowed = 2 * (written[name] - tensor).norm() + 1e-3 * tensor.norm()
        assert (found[name] - tensor).norm() <= allowed, name

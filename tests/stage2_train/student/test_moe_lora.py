"""Experts: nothing at first, chosen by modality and token, at a cost free of modalities."""

from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor

from pipeline.config.student import ExpertCounts, StudentConfig
from stage2_train.student.moe_lora import MoeLora, Routing
from stage2_train.training.objectives import load_balance

CONFIG = StudentConfig(modalities=("image", "points"), rank=3, lora_alpha=6.0)


def make(config: StudentConfig = CONFIG, *, trained: bool = False) -> MoeLora:
    generator = Generator().manual_seed(1)
    experts = MoeLora([(8, 12), (12, 8)], config, generator)
    if trained:
        for parameter in experts.parameters():
            parameter.data.normal_(generator=generator)
    return experts


def tokens(count: int = 40, width: int = 8) -> Tensor:
    return torch.randn(count, width, generator=Generator().manual_seed(2))


def balance(routing: Routing) -> float:
    return load_balance(routing.use[None], routing.probability[None]).item()


def test_untrained_experts_add_nothing() -> None:
    experts, x = make(), tokens()
    frozen = torch.randn(40, 12)
    gates = experts.route("image", x).gates
    assert torch.equal(experts.add_to(frozen.clone(), 0, "image", x, gates), frozen)


def test_output_is_the_gated_sum_of_the_chosen_experts() -> None:
    experts, x = make(trained=True), tokens()
    gates = experts.route("points", x).gates
    found = experts.add_to(torch.zeros(40, 12), 0, "points", x, gates)
    down = experts.down[0].visible("points").view(4, 3, 8)
    up = experts.up[0].visible("points").view(4, 3, 12)
    expected = sum(gates.view(40, 4, 3)[:, e, :1] * (x @ down[e].T @ up[e]) for e in range(4))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_each_token_uses_its_top_k_renormalised(top_k: int) -> None:
    experts, x = make(replace(CONFIG, top_k=top_k), trained=True), tokens()
    gates = experts.route("image", x).gates.view(40, 4, 3)
    logits = x @ experts.router.visible("image").T + experts.router_bias["image"]
    assert ((gates[..., 0] > 0).sum(1) == top_k).all()
    torch.testing.assert_close(gates[..., 0].sum(1), torch.full((40,), 6.0 / 3))
    kept = logits.topk(top_k).indices
    assert (gates[..., 0].gather(1, kept) > 0).all()


def test_the_router_sees_the_modality_and_hides_the_others_experts() -> None:
    experts, x = make(trained=True), tokens()
    image = experts.route("image", x).gates
    experts.router_bias["image"].data += torch.tensor([9.0, 0, 0, 0])
    assert not torch.equal(experts.route("image", x).gates, image)
    points = experts.route("points", x).gates
    experts.down[0].owned["image"].data.fill_(float("nan"))
    assert experts.add_to(torch.zeros(40, 12), 0, "points", x, points).isfinite().all()


def test_balance_is_one_when_even_and_greatest_when_all_choose_the_same() -> None:
    experts = make(replace(CONFIG, top_k=1))
    even = torch.eye(8)[:4].repeat(10, 1) * 50
    weight = torch.eye(8)[:4]
    experts.router.shared.data, experts.router.owned["image"].data = weight[:2], weight[2:]
    routing = experts.route("image", even)
    assert balance(routing) == pytest.approx(1.0, abs=1e-3)
    assert torch.equal(routing.use, torch.full((4,), 0.25))
    collapsed = experts.route("image", even[:1].repeat(40, 1))
    assert balance(collapsed) == pytest.approx(4.0, abs=1e-3)
    assert torch.equal(collapsed.use, torch.tensor([1.0, 0, 0, 0]))


def test_more_modalities_change_neither_cost_nor_result_shapes() -> None:
    many = replace(CONFIG, modalities=("image", "points", "video", "depth", "audio"))
    for config in (CONFIG, many):
        assert make(config).down[0].visible("points").shape == (4 * 3, 8)


@pytest.mark.parametrize(("shared", "owned"), [(0, 2), (2, 0)])
def test_experts_of_one_kind_only(shared: int, owned: int) -> None:
    experts = make(replace(CONFIG, experts=ExpertCounts(shared=shared, owned=owned)))
    gates = experts.route("image", tokens()).gates
    assert gates.shape == (40, 2 * 3)
    experts.add_to(torch.zeros(40, 12), 0, "image", tokens(), gates).sum().backward()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top_k": 5}, "top_k must be from 1 to the 4"),
        ({"rank": 0}, "rank must be >= 1"),
        ({"modalities": ()}, "modalities must be distinct"),
        ({"modalities": ("image", "image")}, "modalities must be distinct"),
        ({"projector": "cnn"}, "'linear' or 'mlp', found 'cnn'"),
        ({"lora_alpha": 0.0}, "lora_alpha must be > 0"),
    ],
)
def test_config_refuses_what_cannot_work(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **change)

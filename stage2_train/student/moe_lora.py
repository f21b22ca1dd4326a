"""Modality-aware mixture of LoRA experts around the frozen linears of a transformer block.

A mini-batch is of one modality, so its tokens meet only the experts that modality may see: the
shared ones and its own. Their low-rank pairs lie stacked in one matrix a side, so all of them take
two matrix products, whatever the number of experts, and adding modalities adds no compute. Tokens
choose by masking: at these ranks, multiplying the unchosen columns by zero is cheaper than
gathering the chosen ones, and every expert keeps a gradient (of zeros where unused), so that
DistributedDataParallel never meets an unused parameter.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from pipeline.config.student import StudentConfig
from stage2_train.student.initialise import normal

_ROUTER_STD = 0.02
"""Near-uniform routing at the start: logits of about +-0.5 on unit-variance tokens."""


class Routing(NamedTuple):
    """What a token router decided for T tokens that see E experts."""

    gates: Tensor
    """float [T, E * rank]: each expert's weight on each of its rank columns, 0 if not chosen."""
    use: Tensor
    """float32 [E]: share of the choices that fell on each expert; sums to 1; no gradient."""
    probability: Tensor
    """float32 [E]: mean probability of each expert, before the top_k are kept."""


class ByModality(nn.Module):
    """Rows of one matrix: the first seen by every modality, the others owned by one each."""

    def __init__(self, shared: Tensor, owned: dict[str, Tensor]) -> None:
        super().__init__()
        self.shared = nn.Parameter(shared)
        self.owned = nn.ParameterDict(owned)

    def visible(self, modality: str) -> Tensor:
        """The rows that `modality` sees, [shared + owned rows, columns]."""
        return torch.cat((self.shared, self.owned[modality]))


class MoeLora(nn.Module):
    """One router and its experts, each a LoRA pair on every linear of `shapes`.

    Args:
        shapes: (inputs, outputs) of the frozen linears, in the order they are applied.
        config: gives modalities, experts, top_k, rank and lora_alpha.
        generator: draws the first weights. The up-projections start at zero, so the experts
            change nothing before training (LoRA, arXiv:2106.09685, section 4.1).
    """

    def __init__(
        self, shapes: Sequence[tuple[int, int]], config: StudentConfig, generator: Generator
    ) -> None:
        super().__init__()
        self.rank, self.top_k = config.rank, config.top_k
        self.scale = config.lora_alpha / config.rank

        def rows(each: int, columns: int, std: float) -> ByModality:
            counts = config.experts
            owned = {
                name: normal(counts.owned * each, columns, std=std, generator=generator)
                for name in config.modalities
            }
            shared = normal(counts.shared * each, columns, std=std, generator=generator)
            return ByModality(shared, owned)

        self.router = rows(1, shapes[0][0], _ROUTER_STD)
        # A learned modality embedding added to the router's input would act through this sum only.
        self.router_bias = nn.ParameterDict(
            {name: torch.zeros(config.experts.visible) for name in config.modalities}
        )
        self.down = nn.ModuleList(rows(config.rank, i, (3 * i) ** -0.5) for i, _ in shapes)
        self.up = nn.ModuleList(rows(config.rank, o, 0.0) for _, o in shapes)

    def route(self, modality: str, x: Tensor) -> Routing:
        """Choose experts for tokens `x` [T, inputs of the first linear].

        Probabilities are a float32 softmax over the visible experts; the top_k are kept and
        renormalised.
        """
        return self.decide(F.linear(x, self.router.visible(modality), self.router_bias[modality]))

    def decide(self, logits: Tensor) -> Routing:
        """Choose by the router's `logits` [T, E]."""
        probabilities = logits.float().softmax(-1)
        chosen = _largest(probabilities.detach(), self.top_k)
        kept = probabilities * chosen
        weights = kept * (self.scale / kept.sum(-1, keepdim=True))
        use = chosen.float().mean(0) / self.top_k
        gates = weights.to(logits.dtype).repeat_interleave(self.rank, dim=-1)
        return Routing(gates, use, probabilities.mean(0))

    def add_to(self, frozen: Tensor, index: int, modality: str, x: Tensor, gates: Tensor) -> Tensor:
        """Add the chosen experts' outputs at linear number `index`, in place, and return it all.

        Args:
            frozen: [T, outputs], what the frozen linear made of x; overwritten, since nothing
                else needs it and a copy would cost as much as the experts.
            index: of the linear, in the order of `shapes`.
            modality: of the tokens.
            x: [T, inputs], what the frozen linear was given.
            gates: `Routing.gates` of the same tokens.
        """
        down: ByModality = self.down[index]  # type: ignore[assignment]
        up: ByModality = self.up[index]  # type: ignore[assignment]
        low = F.linear(x, down.visible(modality)) * gates
        return frozen.addmm_(low.to(frozen.dtype), up.visible(modality).to(frozen.dtype))


def _largest(x: Tensor, count: int) -> Tensor:
    """Bool like `x` [T, E]: the `count` largest of each row, the first among equals.

    By comparing all pairs of columns, which for a few experts takes less than half of what `topk`
    does, and is one kernel where it is compiled.
    """
    columns, ranks = x.unbind(-1), []
    for i, column in enumerate(columns):
        ahead = [other >= column if j < i else other > column for j, other in enumerate(columns)]
        ranks.append(torch.stack(ahead).sum(0))
    return torch.stack(ranks, dim=-1) < count

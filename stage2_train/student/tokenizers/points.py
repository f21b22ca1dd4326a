"""Point cloud tokens: local groups through a mini-PointNet, positions from their centres."""

import torch.nn.functional as F
from open_clip.transformer import VisionTransformer
from torch import Generator, Tensor, nn

from pipeline.config.student import PointsConfig
from stage2_train.student.initialise import linear
from stage2_train.student.tokenizers.first_block import class_token, first_block_input
from stage2_train.student.tokenizers.grouping import group_batch

_POSITION_WIDTH = 128
"""Hidden width of the position MLP (Point-BERT, as in ULIP and ViT-Lens)."""


class MiniPointNet(nn.Module):
    """One token for each group of points (PointNet as in Point-BERT, supplement 2.1).

    point -> w0 -> w1, joined behind the group's maximum (2 w1) -> w2 -> w1, maximum, -> `outputs`.

    Point-BERT's BatchNorms are left out on purpose. Their statistics mix the samples of a batch,
    which a contrastive loss can exploit, differ between training and evaluation, and would need
    synchronising across ranks. What they were needed for, inputs of unit size, is had without
    statistics over samples: offsets are divided by their root mean square over the cloud.
    """

    def __init__(self, widths: tuple[int, int, int], outputs: int, generator: Generator) -> None:
        super().__init__()
        first, second, third = widths
        self.point = linear(3, first, generator)
        self.local = linear(first, second, generator)
        self.joint = linear(2 * second, third, generator)
        self.group = linear(third, second, generator)
        self.out = linear(second, outputs, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, G, outputs] of neighbourhoods [B, G, K, 3]."""
        clouds, groups, size, _ = x.shape
        rms = x.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-6)
        x = self.local(F.relu(self.point((x / rms).flatten(0, 2)))).unflatten(0, (-1, size))
        # The joint layer's half over the maximum is the same for a group's K points: once a group.
        over_maximum, over_point = self.joint.weight.chunk(2, dim=1)
        maximum = F.linear(largest(x), over_maximum, self.joint.bias)
        x = F.relu(F.linear(x, over_point) + maximum.unsqueeze(1))
        return self.out(largest(self.group(x))).unflatten(0, (clouds, groups))


def largest(x: Tensor) -> Tensor:
    """The largest of each feature over a group's points, [G, C] of [G, K, C].

    On a GPU one of several equal points gets all the gradient that on the CPU they share: to count
    them takes longer than to find them. In float32 the weights' is the same, for the equal points'
    inputs are equal too; in bfloat16 rounding makes others equal, and it is another subgradient.
    """
    return x.max(1).values if x.is_cuda else x.amax(1)


class PointsTokenizer(nn.Module):
    """Trainable tokenizer of point clouds, with a class token that starts as the trunk's own."""

    def __init__(
        self, visual: VisionTransformer, config: PointsConfig, generator: Generator
    ) -> None:
        super().__init__()
        width = visual.class_embedding.shape[0]
        self.groups, self.group_size = config.groups, config.group_size
        self.pointnet = MiniPointNet(config.widths, width, generator)
        self.position = nn.Sequential(
            linear(3, _POSITION_WIDTH, generator),
            nn.GELU(),
            linear(_POSITION_WIDTH, width, generator),
        )
        self.class_token = nn.Parameter(class_token(visual).detach().clone())

    def forward(self, visual: VisionTransformer, x: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        """Tokens [B, 1 + groups, width].

        Args:
            visual: the frozen trunk.
            x: clouds, float [B, N, 3 or more], or the pair (neighbourhoods [B, G, K, 3],
                centres [B, G, 3]) that `group_points` made of each.
        """
        if isinstance(x, Tensor):
            x = group_batch(x, self.groups, self.group_size)
        neighbourhoods, centres = x
        tokens = self.pointnet(neighbourhoods) + self.position(centres)
        return first_block_input(visual, self.class_token, tokens)

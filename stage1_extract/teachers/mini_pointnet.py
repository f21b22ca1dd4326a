"""The mini-PointNet that turns a patch of points into a token (Point-BERT's `Encoder`)."""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

HALF = 256


class MiniPointNet(nn.Module):
    """Point-wise convolutions around a max over the patch, as in Point-BERT, ULIP, ReCon, ViT-Lens.

    Names follow the official checkpoints: `first_conv.{0,1,3}`, `second_conv.{0,1,3}`.
    """

    def __init__(self, dim: int, channels: int = 3) -> None:
        super().__init__()
        self.first_conv = nn.Sequential(
            nn.Conv1d(channels, 128, 1), nn.BatchNorm1d(128), nn.ReLU(), nn.Conv1d(128, HALF, 1)
        )
        self.second_conv = nn.Sequential(
            nn.Conv1d(2 * HALF, 512, 1), nn.BatchNorm1d(512), nn.ReLU(), nn.Conv1d(512, dim, 1)
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Return tokens [B, G, dim] of patches [B, G, S, channels]."""
        local = self.first_conv(patches.flatten(0, 1).transpose(1, 2))
        pooled = local.amax(2, keepdim=True)
        # Officially cat([pooled repeated S times, local]) enters the convolution. The pooled half
        # is the same for all S points, so its product is taken once and added.
        entry = cast(nn.Conv1d, self.second_conv[0])
        for_pooled, for_local = entry.weight.split(HALF, dim=1)
        hidden = F.conv1d(local, for_local, entry.bias) + F.conv1d(pooled, for_pooled)
        return self.second_conv[1:](hidden).amax(2).unflatten(0, patches.shape[:2])

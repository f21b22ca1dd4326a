"""Depth tokens: disparity as a one-channel image, beside the tokens of an image if there is one."""

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from pipeline.decoding.depth import DISPARITY
from stage2_train.student.tokenizers.batch_shape import require_shape
from stage2_train.student.tokenizers.first_block import class_token, first_block_input
from stage2_train.student.tokenizers.image import ImageTokenizer
from stage2_train.student.tokenizers.patches import patch_embeddings

NEAREST, FARTHEST = DISPARITY
"""Pixels; disparities are clamped to these, and the farthest becomes 1."""
MEAN, STD = 0.0418, 0.0295
"""Of SUN RGB-D's disparities after that scaling (TencentARC/ViT-Lens@2b4f2e0,
modal_depth/processors/vt_processor.py)."""


class DepthTokenizer(nn.Module):
    """Trainable patches and positions for disparity; both start as the trunk's own for images.

    The one channel's weights start as the sum over the image's three: a standardised map is then
    seen as the grey picture of itself, at the scale that the trunk knows. A mean would shrink it
    to a third. The class token is trainable and starts as the trunk's.
    """

    def __init__(self, visual: VisionTransformer, image: ImageTokenizer) -> None:
        super().__init__()
        self.image = image
        weight = visual.conv1.weight.detach()
        self.patch_weight = nn.Parameter(weight.sum(1, keepdim=True))
        self.positions = nn.Parameter(visual.positional_embedding[1:].detach().clone())
        self.class_token = nn.Parameter(class_token(visual).detach().clone())

    def forward(self, visual: VisionTransformer, x: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        """Tokens [B, 1 + patches, width] of depth alone, [B, 1 + 2 * patches, width] of RGB-D.

        Args:
            visual: the frozen trunk.
            x: disparities in pixels, float [B, 1, H, W], or the pair (images, disparities) with
                images [B, 3, H, W] as the image tokenizer takes them. Each channel kind has
                patches and positions of its own; the image's come first, frozen.
        """
        image, disparity = x if isinstance(x, tuple) else (None, x)
        tokens = self._depth(visual, disparity)
        if image is not None:
            patches = self.image.patches(visual, image)
            positions = visual.positional_embedding[1:].to(patches.dtype)
            tokens = torch.cat((patches + positions, tokens), dim=1)
        return first_block_input(visual, self.class_token, tokens)

    def _depth(self, visual: VisionTransformer, disparity: Tensor) -> Tensor:
        way_out = "give RGB-D as (images, disparities), at the image size of the student's CLIP"
        require_shape(disparity, (1, *visual.image_size), "disparities", way_out)
        scaled = disparity.float().clamp(NEAREST, FARTHEST) / FARTHEST
        patches = patch_embeddings((scaled - MEAN) / STD, self.patch_weight)
        return patches + self.positions.to(patches.dtype)

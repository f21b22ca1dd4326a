"""Image tokens: the frozen trunk's own patches, class token and positions."""

from collections.abc import Sequence

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from stage2_train.student.tokenizers.batch_shape import require_shape
from stage2_train.student.tokenizers.patches import patch_embeddings


class ImageTokenizer(nn.Module):
    """Nothing of its own to train; adds only CLIP's normalisation of raw views.

    Args:
        mean: of CLIP's preprocessing, one value a channel, for images in [0, 1].
        std: likewise.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, visual: VisionTransformer, x: Tensor) -> Tensor:
        """Tokens [B, 1 + patches, width] of images [B, 3, H, W] at the trunk's input size.

        uint8 images are raw views and get normalised here; float images are taken as normalised.
        """
        patches = self.patches(visual, x)
        # In open_clip's order of operations, so that any precision rounds as CLIP's own does.
        first = visual.class_embedding.to(patches.dtype).expand(x.shape[0], 1, -1)
        tokens = torch.cat((first, patches), dim=1)
        return visual.ln_pre(tokens + visual.positional_embedding.to(patches.dtype))

    def patches(self, visual: VisionTransformer, x: Tensor) -> Tensor:
        """Frozen patch embeddings [B, patches, width] of images, without positions."""
        way_out = "set the views' image size to that of the student's CLIP"
        require_shape(x, (3, *visual.image_size), "images", way_out)
        return patch_embeddings(self.normalise(x), visual.conv1.weight)

    def normalise(self, x: Tensor) -> Tensor:
        """Images float [..., 3, H, W] as CLIP takes them; float ones come back as they are."""
        return (x.float() / 255 - self.mean) / self.std if x.dtype == torch.uint8 else x

"""Video tokens: two-frame clips cut into T x P x P patches by the inflated image weights."""

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from pipeline.config.student import VideoConfig
from stage2_train.student.tokenizers.batch_shape import require_shape
from stage2_train.student.tokenizers.first_block import class_token, first_block_input
from stage2_train.student.tokenizers.image import ImageTokenizer
from stage2_train.student.tokenizers.patches import patch_embeddings

CLIP_FRAMES = 2
"""T, frames of a clip and depth of its patches (supplement 2.1)."""


class VideoTokenizer(nn.Module):
    """The frozen image weights w, inflated to both frames of a clip, and a trainable motion part.

    A patch is (w/2 - d) * earlier + (w/2 + d) * later, that is w * mean + d * (later - earlier).
    Any 3D kernel over two frames is such a sum. Inflation gives the first term, which sees no
    motion inside a clip, so nothing is lost by keeping it frozen; d, zero at first, learns the
    motion. A clip of equal frames gives the image's patches, before training and after. Against a
    trainable kernel that halves the parameters: 0.59 M instead of 1.18 M of ViT-B/16's 7.8 M.

    Temporal positions are zero at first. The class token is the trunk's own, frozen.
    """

    def __init__(
        self, visual: VisionTransformer, image: ImageTokenizer, config: VideoConfig
    ) -> None:
        super().__init__()
        self.image, self.frames = image, config.frames
        self.motion = nn.Parameter(torch.zeros_like(visual.conv1.weight))
        clips, width = config.frames // CLIP_FRAMES, visual.class_embedding.shape[0]
        self.time = nn.Parameter(torch.zeros(clips, width))

    def forward(self, visual: VisionTransformer, x: Tensor) -> Tensor:
        """Tokens [B, 1 + clips * patches, width], clip after clip, of videos [B, T, 3, H, W].

        uint8 frames are raw views and get normalised here; float ones are taken as normalised.
        """
        way_out = "set student.video.frames and the views' image size to what the views have"
        require_shape(x, (self.frames, 3, *visual.image_size), "videos", way_out)
        patches = self._patches(visual, x)
        positions = visual.positional_embedding[1:] + self.time[:, None]
        tokens = (patches + positions.to(patches.dtype)).flatten(1, 2)
        return first_block_input(visual, class_token(visual), tokens)

    def _patches(self, visual: VisionTransformer, x: Tensor) -> Tensor:
        """Spatio-temporal patch embeddings [B, clips, patches, width], without positions."""
        frames = self.image.normalise(x).unflatten(1, (-1, CLIP_FRAMES)).flatten(0, 1)
        earlier, later = frames.unbind(1)
        patches = patch_embeddings((earlier + later) / 2, visual.conv1.weight)
        patches = patches + patch_embeddings(later - earlier, self.motion)
        return patches.unflatten(0, (x.shape[0], -1))

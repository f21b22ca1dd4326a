"""Audio tokens: the spectrogram through one convolution over time, and learnable positions."""

import torch
from open_clip.transformer import VisionTransformer
from torch import Generator, Tensor, nn

from pipeline.batched_spectrogram import row_length
from pipeline.config.student import AudioConfig
from pipeline.decoding.resample import RATE
from pipeline.errors import UserError
from pipeline.views.audio import BINS, spectrogram_frames
from stage2_train.student.initialise import conv1d, normal
from stage2_train.student.tokenizers.batch_shape import require_shape
from stage2_train.student.tokenizers.first_block import class_token, first_block_input
from stage2_train.student.tokenizers.mel import spectrogram, spectrograms


class AudioTokenizer(nn.Module):
    """Trainable tokenizer of sounds of one length, `config.seconds`.

    A token covers all 128 bins of `config.kernel` frames, the next begins `config.stride` later.
    Positions are drawn at CLIP's own first scale; the class token starts as the trunk's.

    Raises:
        UserError: a kernel longer than the sound.
    """

    def __init__(
        self, visual: VisionTransformer, config: AudioConfig, generator: Generator
    ) -> None:
        super().__init__()
        self.seconds, self.samples = config.seconds, round(config.seconds * RATE)
        self.frames = spectrogram_frames(self.samples)
        if self.frames < config.kernel:
            raise UserError(
                f"student.audio: {config.seconds:g} s give {self.frames} frames, expected at "
                f"least a kernel of {config.kernel}"
            )
        width = visual.class_embedding.shape[0]
        self.patches = conv1d(BINS, width, config.kernel, config.stride, generator)
        tokens = 1 + (self.frames - config.kernel) // config.stride
        self.positions = nn.Parameter(normal(tokens, width, std=width**-0.5, generator=generator))
        self.class_token = nn.Parameter(class_token(visual).detach().clone())

    def forward(self, visual: VisionTransformer, x: Tensor) -> Tensor:
        """Tokens [B, 1 + tokens, width].

        Args:
            visual: the frozen trunk.
            x: waveforms float [B, samples] at 16 kHz in -1..1, what `packed` made of each view
                for a device, or what `spectrogram` made of each, float [B, frames, 128].
        """
        if x.ndim == 2:
            x = self._spectrograms(x)
        require_shape(x, (self.frames, BINS), "spectrograms", self._way_out())
        patches = self.patches(x.transpose(1, 2)).transpose(1, 2)
        return first_block_input(
            visual, self.class_token, patches + self.positions.to(patches.dtype)
        )

    def _spectrograms(self, sounds: Tensor) -> Tensor:
        if sounds.shape[1] == row_length(self.samples, self.frames):
            return spectrograms(sounds, self.frames)
        require_shape(sounds, (self.samples,), "waveforms", self._way_out())
        return torch.stack([spectrogram(waveform) for waveform in sounds.float()])

    def _way_out(self) -> str:
        return f"student.audio.seconds is {self.seconds:g}: set it to views.audio_seconds"

"""The student: which frozen CLIP, which modalities, how many experts of what rank."""

from dataclasses import dataclass, field
from typing import Literal

LARGEST = 1 << 14
"""A size beyond it is a slip, or a file made to fill the memory: modules are built of them."""
MOST_RANKS = 1 << 10
"""Experts that a token sees, times their rank; the paper's recipe has 16."""


@dataclass(frozen=True, kw_only=True)
class ExpertCounts:
    """LoRA experts in every block."""

    shared: int = 2
    """Experts that every modality sees."""
    owned: int = 2
    """Experts of each modality's own."""

    def __post_init__(self) -> None:
        if min(self.shared, self.owned) < 0 or self.visible < 1:
            raise ValueError(
                "experts must be >= 0 and at least one must be seen, "
                f"found shared {self.shared}, owned {self.owned}"
            )

    @property
    def visible(self) -> int:
        """Experts that a sample's tokens choose from; independent of the number of modalities."""
        return self.shared + self.owned


@dataclass(frozen=True, kw_only=True)
class PointsConfig:
    """Point cloud tokens: groups around farthest points, each through a mini-PointNet."""

    groups: int = 512
    """Tokens of a cloud: centres drawn by farthest point sampling (supplement 2.1)."""
    group_size: int = 32
    """Nearest points of each centre, itself included (supplement 2.1)."""
    widths: tuple[int, int, int] = (128, 256, 512)
    """Mini-PointNet: point -> w0 -> w1, joined with the group's maximum, -> w2 -> w1, maximum."""

    def __post_init__(self) -> None:
        sizes = (self.groups, self.group_size, *self.widths)
        if min(sizes) < 1 or max(sizes) > LARGEST:
            raise ValueError(
                f"groups, group_size and widths must be >= 1 and <= {LARGEST}, found {self}"
            )


@dataclass(frozen=True, kw_only=True)
class VideoConfig:
    """Video tokens: the image's patches over clips of two frames (supplement 2.1)."""

    frames: int = 8
    """Frames of a video, two a clip; equals `views.video_frames`."""

    def __post_init__(self) -> None:
        if not 2 <= self.frames <= LARGEST or self.frames % 2:
            raise ValueError(f"frames must be even, from 2 to {LARGEST}, found {self.frames}")


@dataclass(frozen=True, kw_only=True)
class AudioConfig:
    """Audio tokens: a convolution over the frames of a spectrogram, 10 ms each (supplement 2.1).

    The defaults give 123 tokens of 80 ms, each overlapping half of the next.
    """

    seconds: float = 5.0
    """Length of a sound; equals `views.audio_seconds`."""
    kernel: int = 8
    """Frames in a token."""
    stride: int = 4
    """Frames from one token's beginning to the next's."""

    def __post_init__(self) -> None:
        if not 0.1 <= self.seconds <= 60:
            raise ValueError(f"seconds must be within 0.1..60, found {self.seconds}")
        if not 1 <= self.stride <= self.kernel <= LARGEST:
            raise ValueError(
                "stride must be from 1 to kernel (no frame is left out), kernel at most "
                f"{LARGEST}, found {self}"
            )


@dataclass(frozen=True, kw_only=True)
class StudentConfig:
    """One CLIP ViT, frozen, with trainable tokenizers and modality-aware LoRA experts.

    With the defaults, ViT-B/16 has 7.1 M trainable parameters for all five modalities, projectors
    aside; the paper's has 7.8 M.
    """

    modalities: tuple[str, ...]
    """What the student encodes; names of `stage2_train.student.tokenizers`."""
    arch: str = "ViT-B-16"
    """open_clip model name, or `local-dir:PATH`."""
    weights: str | None = "openai"
    """open_clip tag or a file; null where `arch` is a folder that brings its own."""
    experts: ExpertCounts = field(default_factory=ExpertCounts)
    """LoRA experts in every block."""
    top_k: int = 2
    """Experts a token uses, out of those it sees."""
    rank: int = 4
    """Rank of each expert's low-rank pairs."""
    lora_alpha: float = 8.0
    """An expert's output is scaled by lora_alpha / rank."""
    adapt_attention: bool = False
    """Experts on the attention's in and out projections too, besides the MLP's."""
    projector: Literal["linear", "mlp"] = "mlp"
    """Head towards each teacher's space (supplement, Table 2)."""
    points: PointsConfig = field(default_factory=PointsConfig)
    """Point cloud tokenizer."""
    video: VideoConfig = field(default_factory=VideoConfig)
    """Video tokenizer."""
    audio: AudioConfig = field(default_factory=AudioConfig)
    """Audio tokenizer."""

    def __post_init__(self) -> None:
        if not self.modalities or len(set(self.modalities)) < len(self.modalities):
            raise ValueError(f"modalities must be distinct, at least one, found {self.modalities}")
        if not 1 <= self.top_k <= self.experts.visible:
            raise ValueError(
                f"top_k must be from 1 to the {self.experts.visible} experts a token sees "
                f"(shared + owned), found {self.top_k}"
            )
        if self.rank < 1:
            raise ValueError(f"rank must be >= 1, found {self.rank}")
        if self.rank * self.experts.visible > MOST_RANKS:
            raise ValueError(
                f"rank times experts (shared + owned) must be <= {MOST_RANKS}, found {self.rank} "
                f"times {self.experts.visible}"
            )
        if self.lora_alpha <= 0:
            raise ValueError(f"lora_alpha must be > 0, found {self.lora_alpha}")
        if self.projector not in ("linear", "mlp"):
            raise ValueError(f"projector must be 'linear' or 'mlp', found '{self.projector}'")

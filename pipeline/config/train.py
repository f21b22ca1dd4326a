"""Stage 2: what is trained on what, for how long, and how much each objective weighs."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ObjectiveWeights:
    """Weight of each loss part; 0 switches it off. Formulas: `stage2_train.training.objectives`."""

    text_binding: float = 1.0
    """Soft binding of every modality to the texts of the batch."""
    image_binding: float = 1.0
    """Soft binding of every other modality to images: its paired ones and the batch's."""
    anchor: float = 1.0
    """The student's images and videos follow CLIP's cached features of the same view."""
    teacher_feature: float = 1.0
    """1 - cosine between a projected student feature and the teacher's cached one less the
    mean of its store."""
    teacher_similarity: float = 1.0
    """KL between similarities to the teacher's own class texts, where it has them."""
    balance: float = 0.01
    """Load balance over the experts."""
    binding_temperature: float = 0.1
    """tau_b: how far label meaning spreads a binding target; towards 0 it becomes one-hot."""
    similarity_temperature: float = 0.05
    """Temperature of the similarity distillation."""

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")
        for name in ("binding_temperature", "similarity_temperature"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name} must be > 0, found 0")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The supplement's Table 1, first block; the defaults are its values."""

    out: str
    """Run folder: checkpoints, logs, and the portable student."""
    teachers: tuple[str, ...]
    """Extractions (names in `extract`) whose stores are distilled; empty trains without."""
    sources: dict[str, float]
    """Weight of each source in a batch; sizes are the largest-remainder share of batch_size."""
    anchor: str = "clip"
    """Teacher whose cached image features are anchors; it must be the student's own CLIP."""
    seed: int = 0
    """Seed of first weights and data order; the views keep the run's own seed."""
    epochs: int = 100
    """Passes: an epoch is as many steps as the sources' samples fill batches."""
    batch_size: int = 2048
    """Samples of a step: all sources, all ranks and all forward passes together."""
    accumulate: int = 1
    """Forward passes of a step, each over its own samples of every source; the bindings compare
    samples within a pass."""
    peak_lr: float = 2e-4
    """Learning rate at the end of the warm-up."""
    warmup_steps: int = 10_000
    """Linear warm-up; a cosine to zero follows."""
    betas: tuple[float, float] = (0.9, 0.98)
    """AdamW momentum."""
    weight_decay: float = 0.05
    """Not on norms, biases, the logit scale and, beyond Table 1, class tokens."""
    objectives: ObjectiveWeights = field(default_factory=ObjectiveWeights)
    """Weights of the loss parts."""
    loader_workers: int = 2
    """Processes beside each rank that decode, augment and join; 0 does so in the rank itself."""
    compile: bool = False
    """Compile the blocks with torch.compile: a minute or two at the start, faster steps after."""
    checkpoint_activations: bool = False
    """Compute each block's inside again in the backward pass instead of keeping it: less memory
    for a third more time."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""
    keep_every: int | None = None
    """Steps between checkpoints that stay beside the two latest and the best."""
    score_every: int | None = None
    """Steps between zero-shot scores on 256 held-out samples of each benchmark, a last time at the
    end; the student of the best mean is kept in <out>/best. Default: none. That one was chosen by
    these very samples: report scores of others."""
    step_timeout: float = 1800.0
    """Seconds that a rank may take for one step, or wait for the others, before it gives up. The
    first step, with the start of all ranks, has half an hour at least."""

    def __post_init__(self) -> None:
        if "://" in self.out:
            raise ValueError(f"out must be a folder, only shards and cache may be URLs: {self.out}")
        for name in ("epochs", "batch_size", "accumulate", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, found {getattr(self, name)}")
        if self.loader_workers < 0:
            raise ValueError(f"loader_workers must be >= 0, found {self.loader_workers}")
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"batch_size {self.batch_size} must be a multiple of accumulate {self.accumulate}"
            )
        every = self.keep_every
        if every is not None and (every < 1 or every % self.checkpoint_every):
            raise ValueError(
                f"keep_every {every} must be a multiple of checkpoint_every "
                f"{self.checkpoint_every}, the steps at which there are checkpoints"
            )
        if self.score_every is not None and self.score_every < 1:
            raise ValueError(f"score_every must be >= 1 or null, found {self.score_every}")
        if self.step_timeout <= 0:
            raise ValueError(f"step_timeout must be > 0, found {self.step_timeout}")
        if not self.sources or min(self.sources.values()) <= 0:
            raise ValueError("sources must name at least one source, each with a weight > 0")

"""The student: one frozen CLIP ViT that trainable tokenizers and experts open to other modalities.

Use after training:
    student = Student.load("runs/demo/student")          # or hf://ORG/NAME
    found = student.encode_files(["a.jpg", "b.wav"])     # found.embeddings: [files, embed_dim]
    points = student.encode("points", clouds)            # float [B, N, 3] -> [B, embed_dim]
    labels = student.encode_text(["a chair", "a lamp"])  # [2, embed_dim]
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from open_clip.transformer import VisionTransformer
from torch import Generator, Tensor, nn
from torch.utils.checkpoint import checkpoint

from pipeline.config.data import ViewsConfig
from pipeline.config.student import StudentConfig
from pipeline.decoding.depth import DepthSensor
from pipeline.openclip import OpenClip, load_openclip
from pipeline.unknown_name import unknown_name
from stage2_train.student import portable
from stage2_train.student.adapted_block import BlockExperts, adapted, require_plain_trunk
from stage2_train.student.files import EncodedFiles, FileEncoder, InputTransform, input_transform
from stage2_train.student.hub import is_hub_address, student_folder
from stage2_train.student.moe_lora import Routing
from stage2_train.student.projectors import FeatureProjectors
from stage2_train.student.tokenizers import TOKENIZERS
from stage2_train.student.trunk_precision import with_matrices_in
from stage2_train.student.value_ranges import check_values

RunBlock = Callable[..., tuple[Tensor, list[Routing]]]
"""As `adapted_block.adapted`."""


class StudentOutput(NamedTuple):
    """What the student makes of a mini-batch of one modality."""

    hidden: Tensor
    """[B, width]: the class token after the trunk's last norm; the projectors' input."""
    embedding: Tensor
    """[B, embed_dim]: hidden in CLIP's joint space, not normalised."""
    use: Tensor
    """float32 [routers, experts the modality sees]: share of the choices that fell on each."""
    probability: Tensor
    """float32 [routers, experts]: mean routing probability of each; with `use`, what
    `objectives.load_balance` takes."""


class Student(nn.Module):
    """One encoder for every modality of `config`, aligned in the frozen CLIP's joint space.

    Args:
        openclip: the frozen CLIP, both towers; the student lives on its device. Its vision tower
            must be open_clip's plain ViT.
        config: modalities, experts and tokenizers.
        seed: of the first weights; the global generator is not touched.
        views: what it is trained on; without them no file can be made a view of.

    Raises:
        UserError: a modality without a tokenizer, a vision tower of another kind.
    """

    def __init__(
        self,
        openclip: OpenClip,
        config: StudentConfig,
        *,
        seed: int = 0,
        views: ViewsConfig | None = None,
    ) -> None:
        super().__init__()
        self.config, self.openclip, self.views = config, openclip, views
        self.recompute = False
        """Whether training keeps only each block's input and computes the block again in backward:
        memory for a third more time."""
        self._cast_trunk: tuple[VisionTransformer, ...] = ()
        self.run_block: RunBlock = adapted
        """What training runs a block by: `adapted` or `fused`."""
        self.compiled_block: RunBlock | None = None
        """A compiled `run_block`, for all blocks but the last: its one token is not worth the time
        that another compilation takes."""
        self.clip = openclip.model.requires_grad_(False).eval()
        require_plain_trunk(self.visual, config.arch)
        for modality in config.modalities:
            if modality not in TOKENIZERS:
                raise unknown_name("modality", modality, TOKENIZERS)
        generator = Generator().manual_seed(seed)
        self.tokenizers = nn.ModuleDict(
            {name: TOKENIZERS[name](openclip, config, generator) for name in config.modalities}
        )
        self.experts = nn.ModuleList(
            BlockExperts(block, config, generator) for block in self.visual.transformer.resblocks
        )
        self.logit_scale = nn.Parameter(cast(Tensor, self.clip.logit_scale).detach().clone())
        self.to(openclip.device)

    @property
    def visual(self) -> VisionTransformer:
        """The frozen vision tower."""
        return cast(VisionTransformer, self.clip.visual)

    @property
    def width(self) -> int:
        """Columns of `StudentOutput.hidden`."""
        return self.visual.class_embedding.shape[0]

    def forward(self, modality: str, x: Any) -> StudentOutput:
        """Encode one mini-batch; `x` is what the modality's tokenizer takes.

        Before training, images come out as the frozen CLIP's `encode_image` gives them, bit for
        bit (to rounding where training records gradients, or with experts on the attention).
        """
        if modality not in self.tokenizers:
            raise unknown_name("modality", modality, self.tokenizers)
        visual = self._trunk()
        tokens = self.tokenizers[modality](visual, x)
        routings: list[Routing] = []
        # Only the class token leaves the last block. Training uses that; elsewhere the whole
        # block runs, as CLIP's own does, because fewer rows may round differently.
        shortcut, last = self.training and torch.is_grad_enabled(), visual.transformer.resblocks[-1]
        inner = self.compiled_block or self.run_block
        for block, experts in zip(visual.transformer.resblocks, self.experts):
            class_only, run_block = shortcut and block is last, cast(RunBlock, adapted)
            if shortcut:
                run_block = self.run_block if class_only else inner
            run = partial(run_block, experts, block, modality, class_only=class_only)
            if self.recompute and shortcut:
                tokens, decided = checkpoint(
                    run, tokens, use_reentrant=False, preserve_rng_state=False
                )
            else:
                tokens, decided = run(tokens)
            routings += decided
        hidden = visual.ln_post(tokens[:, 0])
        return StudentOutput(
            hidden,
            hidden @ visual.proj,
            torch.stack([routing.use for routing in routings]),
            torch.stack([routing.probability for routing in routings]),
        )

    def hold_trunk_in(self, dtype: torch.dtype) -> None:
        """Keep a copy of the frozen trunk with its matrices in `dtype`, for passes under autocast.

        Autocast would cast them anew in every pass: it keeps casts of trainable weights only.
        """
        # in a tuple, where it is none of the student's own modules
        self._cast_trunk = (with_matrices_in(dtype, self.visual),)

    def _trunk(self) -> VisionTransformer:
        under_autocast = torch.is_autocast_enabled(self.openclip.device.type)
        return self._cast_trunk[0] if self._cast_trunk and under_autocast else self.visual

    def train(self, mode: bool = True) -> "Student":
        """As any module's, but the frozen CLIP stays in evaluation mode."""
        super().train(mode)
        self.clip.eval()
        return self

    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters to train and to save, by name; the frozen CLIP's are not among them."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def encode(self, modality: str, batch: Any) -> Tensor:
        """Embeddings float32 [B, embed_dim], not normalised, on the student's device.

        `batch` is a tensor or array (or a tuple of them) on any device, at CLIP's image size:
        image: uint8 [B, 3, H, W], or float as CLIP normalises.
        video: uint8 [B, frames, 3, H, W], or normalised float.
        points: float [B, N, 3 or more] in the unit sphere, or what `group_points` makes of them.
        depth: disparities in pixels, float [B, 1, H, W]; of RGB-D the tuple (images, disparities).
        audio: waveforms float [B, samples] at 16 kHz in -1..1, or what `spectrogram` makes of
            them, [B, frames, 128].

        Raises:
            UserError: a modality the student does not have, samples of another size, or values of
                another convention: pixels as floats in 0..1, clouds in metres, 16-bit sounds.
        """
        device = self.openclip.device
        if modality not in self.tokenizers:
            raise unknown_name("modality", modality, self.tokenizers)
        if isinstance(batch, tuple):
            x: Any = tuple(torch.as_tensor(part, device=device) for part in batch)
        else:
            x = torch.as_tensor(batch, device=device)
        check_values(modality, x)
        return self(modality, x).embedding.float()

    def encode_text(self, prompts: str | Sequence[str]) -> Tensor:
        """Embeddings float32 [prompts, embed_dim] by CLIP's own frozen text tower; of one prompt
        [1, embed_dim]."""
        return self.openclip.encode_text([prompts] if isinstance(prompts, str) else prompts)

    def encode_files(
        self,
        files: str | Path | Iterable[str | Path],
        *,
        modality: str | None = None,
        depth: DepthSensor | None = None,
        normalise: bool = False,
    ) -> EncodedFiles:
        """Embeddings of media files under their evaluation views: those that `eval` scores.

        Args:
            files: of any modalities, in any order; their content says which, not their names.
            modality: what all are to be read as, say 16-bit grey PNGs as `image`.
            depth: sensor of the depth maps; by default `x.json` beside `x.png` says it.
            normalise: divide each embedding by its length.

        Files that cannot be read are listed in the result; the others are encoded.

        Raises:
            UserError: no files, an unknown modality, or a folder that does not say what its views
                are.
        """
        paths = [files] if isinstance(files, str | Path) else files
        transform = partial(self.transform, depth=depth)
        encoder = FileEncoder(
            self.encode, transform, self.config.modalities, self.openclip.embed_dim
        )
        found = encoder(list(map(Path, paths)), modality)
        if not normalise:
            return found
        return replace(found, embeddings=nn.functional.normalize(found.embeddings, dim=-1))

    def transform(self, modality: str, depth: DepthSensor | None = None) -> InputTransform:
        """From the path, bytes or decoded content of one file to its part of a batch.

            embeddings = student.encode("image", torch.stack([transform(path) for path in paths]))

        Raises:
            UserError: as for `encode_files`.
        """
        size = self.openclip.image_size
        return input_transform(modality, self.config, self.views, size, depth)

    def save(self, path: str | Path, projectors: FeatureProjectors | None = None) -> None:
        """Write the folder `path` (`portable`): all that the student needs, wherever it goes.

        Projectors, if given, are saved along; `portable.load_projectors` reads them.
        """
        portable.write(
            Path(path), self.config, self.views, self.trainable(), self.openclip, projectors
        )

    @staticmethod
    def load(
        path: str | Path, *, openclip: OpenClip | None = None, device: str | torch.device = "cpu"
    ) -> "Student":
        """Read what `save` wrote, in evaluation mode.

        Args:
            path: the folder, or `hf://ORG/NAME[@REVISION]`.
            openclip: the CLIP, if it is in memory already; by default the folder's own.
            device: where to load that.

        Raises:
            UserError: a missing or damaged file, a layout of another version, tensors of another
                architecture (the first that differs, with both shapes), other CLIP weights, or a
                hub that cannot be reached.
        """
        folder = student_folder(path)
        card = portable.read_card(folder, own=not is_hub_address(path))
        if openclip is None:
            openclip = load_openclip(card.config.arch, card.config.weights, device)
        student = Student(openclip, card.config, views=card.views)
        portable.fill(student.trainable(), folder)
        portable.check_clip(card, folder, openclip.identity)
        return student.eval()

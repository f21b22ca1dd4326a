"""Table 1's chains as one writes them with torchvision's v2 transforms and torchaudio.

Written with care: frames that no clip needs are decoded but not converted, sounds are read and
resampled only within the window, and every transform runs where torchvision is fastest.
"""

import io
import math
from fractions import Fraction
from typing import cast

import av
import numpy as np
import soundfile
import torch
import torchaudio
from av.container import InputContainer
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as F

Sample = dict[str, bytes]
BICUBIC = InterpolationMode.BICUBIC

_IMAGE = v2.Compose(
    [
        v2.RandomResizedCrop(224, interpolation=BICUBIC),
        v2.RandomHorizontalFlip(0.5),
        v2.RandAugment(2, 9),
        v2.ColorJitter(0.4, 0.4, 0.4),
        v2.PILToTensor(),
        v2.RandomErasing(0.25),
    ]
)
_CROP = v2.Compose([v2.RandomResizedCrop(224, interpolation=BICUBIC), v2.PILToTensor()])
_SHORT_SIDE = v2.Compose(
    [
        v2.RandomShortestSize(list(range(256, 341))),
        v2.RandomCrop(224),
        v2.RandomHorizontalFlip(0.5),
        v2.RandomApply([v2.RandAugment(2, 9)], p=0.3),
    ]
)
_ERASING = v2.RandomErasing(0.25)
_DEPTH_CROP = v2.Compose(
    [
        v2.RandomResizedCrop(224, interpolation=InterpolationMode.BILINEAR, antialias=False),
        v2.RandomHorizontalFlip(0.5),
    ]
)
_MASKS = torch.nn.Sequential(
    torchaudio.transforms.FrequencyMasking(12), torchaudio.transforms.TimeMasking(48)
)


def image(sample: Sample) -> Tensor:
    """Uint8 [3, 224, 224]."""
    return _IMAGE(Image.open(io.BytesIO(sample["image.jpg"])).convert("RGB"))


def cropped_image(sample: Sample) -> Tensor:
    """Uint8 [3, 224, 224] of the image paired with points."""
    return _CROP(Image.open(io.BytesIO(sample["image.jpg"])).convert("RGB"))


def short_side_image(sample: Sample) -> Tensor:
    """Uint8 [3, 224, 224] of the image paired with audio."""
    picture = Image.open(io.BytesIO(sample["image.jpg"])).convert("RGB")
    return F.pil_to_tensor(_SHORT_SIDE(picture))


def video(sample: Sample) -> Tensor:
    """Uint8 [8, 3, 224, 224]."""
    with cast(InputContainer, av.open(io.BytesIO(sample["video.mp4"]))) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        step = int(1 / cast(Fraction, stream.average_rate) / cast(Fraction, stream.time_base))
        first = int(torch.randint(stream.frames - 56, ()))
        wanted = {(first + 8 * place) * step + (stream.start_time or 0) for place in range(8)}
        container.seek(min(wanted), stream=stream)
        frames = []
        for frame in container.decode(stream):
            if frame.pts in wanted:
                frames.append(torch.from_numpy(frame.to_ndarray(format="rgb24")))
            if len(frames) == 8:
                break
    return _ERASING(_SHORT_SIDE(torch.stack(frames).permute(0, 3, 1, 2)))


def depth(sample: Sample) -> Tensor:
    """Disparity float32 [1, 224, 224]."""
    raw = np.asarray(Image.open(io.BytesIO(sample["depth.png"])))
    metres = torch.from_numpy(raw.astype(np.float32))[None].div_(1000).clamp_(0.01, 50)
    view = _DEPTH_CROP((0.075 * 520 / metres).clamp_(0.01, 75))
    for operation in torch.randint(14, (2,)).tolist():
        view = _geometric(view, operation)
    return _ERASING(view)


def _geometric(view: Tensor, operation: int) -> Tensor:
    """RandAugment's operations 0 to 4 at magnitude 9; the others leave disparity alone."""
    sign = 1 - 2 * int(torch.randint(2, ()))
    shear, shift = math.degrees(math.atan(0.3 * 0.3)), int(150 / 331 * 0.3 * 224)
    if operation == 0:
        return F.affine(view, 0.0, [0, 0], 1.0, [sign * shear, 0.0], center=[0, 0])
    if operation == 1:
        return F.affine(view, 0.0, [0, 0], 1.0, [0.0, sign * shear], center=[0, 0])
    if operation in (2, 3):
        move = [sign * shift, 0] if operation == 2 else [0, sign * shift]
        return F.affine(view, 0.0, move, 1.0, [0.0, 0.0])
    return F.rotate(view, sign * 9.0) if operation == 4 else view


def audio(sample: Sample) -> Tensor:
    """Standardised spectrogram float32 [512, 128]."""
    with soundfile.SoundFile(io.BytesIO(sample["audio.flac"])) as file:
        rate, length = file.samplerate, 5 * file.samplerate
        file.seek(int(torch.randint(file.frames - length + 1, ())))
        waveform = torch.from_numpy(file.read(length, dtype="float32", always_2d=True)[:, :1].T)
    waveform = torchaudio.functional.resample(waveform, rate, 16000)
    bank = torchaudio.compliance.kaldi.fbank(
        waveform - waveform.mean(),
        sample_frequency=16000,
        num_mel_bins=128,
        window_type="hanning",
        htk_compat=True,
        dither=0.0,
    )
    bank = torch.nn.functional.pad(bank, (0, 0, 0, 512 - len(bank)))
    bank = (_MASKS(bank.T[None])[0].T + 4.2677393) / 4.5689974
    noise = torch.rand(bank.shape) * torch.rand(()) / 10
    return (bank + noise).roll(int(torch.randint(-10, 10, ())), 0)


def points(sample: Sample) -> Tensor:
    """Float32 [8192, 3]: ULIP's augmentation in torch."""
    stored = torch.from_numpy(np.load(io.BytesIO(sample["points.npy"])))
    cloud = stored[torch.randperm(len(stored))[:8192]]
    cloud = cloud - cloud.mean(0)
    cloud = cloud / cloud.square().sum(1).max().sqrt()
    cloud[torch.rand(len(cloud)) <= torch.rand(()) * 0.875] = cloud[0].clone()
    cloud = cloud * torch.empty(()).uniform_(0.8, 1.25) + torch.empty(3).uniform_(-0.1, 0.1)
    angles = (0.06 * torch.randn(3)).clamp(-0.18, 0.18)
    for axis, angle in (*enumerate(angles), (1, torch.rand(()) * 2 * math.pi)):
        cloud = cloud @ _rotation(axis, angle)
    return cloud


def _rotation(axis: int, angle: Tensor) -> Tensor:
    matrix, (first, second) = torch.eye(3), [other for other in range(3) if other != axis]
    matrix[first, first] = matrix[second, second] = angle.cos()
    matrix[first, second], matrix[second, first] = -angle.sin(), angle.sin()
    return matrix

"""Python, the libraries that pyproject.toml asks for, the GPU, FFmpeg's codecs, the extras."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

import torch
from av.codec.codec import Codec, UnknownCodecError
from packaging.requirements import Requirement

from pipeline.config import Params
from pipeline.doctor.finding import Finding, State

PROJECT = "unialign"
INSTALL = "run: pip install -c constraints.txt -e ."
DECODERS = (
    "h264", "hevc", "vp9", "av1", "mpeg4", "aac", "mp3", "opus", "vorbis", "flac", "pcm_s16le",
)  # fmt: skip
"""What downloads of the paper's datasets come in."""
ENCODERS = ("libx264",)
"""Of prepared clips."""


def machine(params: Params) -> Iterator[Finding]:
    """What a run stands on."""
    yield Finding("tool", "python", "there", platform.python_version())
    yield Finding("tool", "libraries", *_libraries())
    yield Finding("tool", "torch", "there", _device())
    yield Finding("tool", "codecs", *_codecs())
    remote = any("://" in place for place in (params.shards, params.cache))
    yield Finding("tool", "extra s3", *_extra("s3", "shards and cache behind s3://", remote))
    arrow = any(source.converter == "huggingface" for source in params.sources.values())
    yield Finding("tool", "extra huggingface", *_extra("huggingface", "Arrow files", arrow))


def _libraries() -> tuple[State, str]:
    try:
        asked = _requirements("")
    except PackageNotFoundError:
        return "missing", f"{PROJECT} is not installed, so nothing says what it needs; {INSTALL}"
    faults = [fault for each in asked if (fault := _fault(each))]
    if faults:
        return "wrong", f"{'; '.join(faults)}; {INSTALL}"
    return "there", f"{len(asked)} as pyproject.toml asks"


def _requirements(extra: str) -> list[Requirement]:
    """Those of an extra alone, or without one."""
    every = [Requirement(text) for text in requires(PROJECT) or ()]
    return [
        each
        for each in every
        if (each.marker is None) != bool(extra)
        and (each.marker is None or each.marker.evaluate({"extra": extra}))
    ]


def _fault(asked: Requirement) -> str:
    try:
        found = version(asked.name)
    except PackageNotFoundError:
        return f"{asked.name}: not installed"
    fits = asked.specifier.contains(found, prereleases=True)
    return "" if fits else f"{asked.name}: expected {asked.specifier}, found {found}"


def _device() -> str:
    gpus = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
    names = [f"{gpu.name}, {gpu.total_memory / 1e9:.0f} GB" for gpu in gpus]
    return f"{torch.__version__}; " + ("; ".join(names) or f"no GPU, {os.cpu_count()} cores")


def _codecs() -> tuple[State, str]:
    wanted = [(name, "r") for name in DECODERS] + [(name, "w") for name in ENCODERS]
    lacking = [name for name, mode in wanted if not _known(name, mode)]
    if lacking:
        return "wrong", f"PyAV {version('av')} has no {', '.join(lacking)}; {INSTALL}"
    return "there", f"PyAV {version('av')}: {', '.join(name for name, _ in wanted)}"


def _known(codec: str, mode: str) -> bool:
    try:
        Codec(codec, mode)  # type: ignore[arg-type]
    except UnknownCodecError:
        return False
    return True


def _extra(name: str, purpose: str, needed: bool) -> tuple[State, str]:
    try:
        faults = [fault for each in _requirements(name) if (fault := _fault(each))]
    except PackageNotFoundError:
        faults = [f"{PROJECT}: not installed"]
    if not faults:
        return "there", purpose
    text = f'for {purpose}: {"; ".join(faults)}; run: pip install -e ".[{name}]"'
    return ("missing" if needed else "optional"), text

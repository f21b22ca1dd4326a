"""The sound of a clip, or of an MP3 or M4A, as a member of a shard."""

import io
from collections.abc import Iterator
from itertools import chain
from typing import cast

import av
import soundfile
from av import CodecContext
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard

from pipeline.decoding.audio import MAX_CHANNELS, MAX_SAMPLES
from pipeline.decoding.container_file import check_container
from pipeline.decoding.reasons import one_line
from pipeline.errors import UnreadableSample
from pipeline.transcoding.audio import COMPRESSION

CONTAINERS = "mov,avi,matroska,mp3,aac"
"""By the names of FFmpeg's demuxers: MP4 and M4A, AVI, Matroska and WebM, MP3, bare AAC."""
INTEGER_DECODERS = {"aac": "aac_fixed", "mp3float": "mp3"}
"""FFmpeg's decoder -> the one whose samples are the same on every processor. Opus and Vorbis have
none: of those a last bit may differ from one kind of processor to another."""


def sound_track(data: bytes) -> bytes:
    """The first sound stream as FLAC of 16 bits, at its own rate, with all its channels.

    Raises:
        UnreadableSample: no such file, no sound in it, damaged, or out of bounds.
    """
    try:
        check_container(data)
        # Skipping every frame keeps FFmpeg's own probing from decoding pictures
        options = {"format_whitelist": CONTAINERS, "skip_frame": "all"}
        file = av.open(io.BytesIO(data), options=options, metadata_errors="replace")
        with cast(InputContainer, file) as container:
            return _flac(_frames(container))
    except UnreadableSample as error:
        raise UnreadableSample(str(error).replace("video.mp4", "sound track")) from None
    except FFmpegError as error:
        raise UnreadableSample(
            f"sound track: damaged, or no MP4, M4A, MP3, AVI or Matroska ({error.strerror})"
        ) from None
    except Exception as error:  # damaged files make PyAV raise nearly anything
        raise UnreadableSample(f"sound track: {one_line(str(error))}") from None


def _frames(container: InputContainer) -> Iterator[AudioFrame]:
    """Decoded frames, int16 interleaved."""
    if not container.streams.audio:
        raise UnreadableSample("sound track: none in this file")
    stream = container.streams.audio[0]
    for other in container.streams:
        other.discard = Discard.default if other is stream else Discard.all
    codec, whole = _decoder(stream), AudioResampler(format="s16")
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise UnreadableSample("sound track: damaged, or cut short")
        for frame in codec.decode(packet if packet.size else None):
            frame.pts = None  # a gap in the times is no reason to fill in silence
            yield from whole.resample(frame)


def _decoder(stream: AudioStream) -> AudioCodecContext:
    own = stream.codec_context
    if own.name not in INTEGER_DECODERS:
        return own
    codec = cast(AudioCodecContext, CodecContext.create(INTEGER_DECODERS[own.name], "r"))
    codec.extradata = own.extradata
    return codec


def _flac(frames: Iterator[AudioFrame]) -> bytes:
    first = next(frames, None)
    if first is None:
        raise UnreadableSample("sound track: empty")
    rate, channels, total = first.sample_rate, first.layout.nb_channels, 0
    if channels > MAX_CHANNELS:
        raise UnreadableSample(f"sound track: {channels} channels; the limit is {MAX_CHANNELS}")
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", rate, channels, "PCM_16", format="FLAC", compression_level=COMPRESSION
    ) as out:
        for frame in chain([first], frames):
            if (frame.sample_rate, frame.layout.nb_channels) != (rate, channels):
                raise UnreadableSample("sound track: its rate or its channels change on the way")
            total += frame.samples * channels
            if total > MAX_SAMPLES:
                raise UnreadableSample(f"sound track: over {MAX_SAMPLES} samples of all channels")
            out.write(frame.to_ndarray().reshape(-1, channels))
    return file.getvalue()

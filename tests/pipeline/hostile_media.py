"""Small files made to harm, and what refusing each takes, printed as JSON: a script for tests."""

import json
import re
import resource
import struct
import time
import zlib
from multiprocessing import get_context

import numpy as np
from PIL import Image

from pipeline.errors import UnreadableSample
from pipeline.samples import check_member, decode_text
from tests.made_media import clip, png, saved
from tests.made_members import SENSOR, audio_bytes, depth_png, hum, waves

Sample = dict[str, bytes]
MANY = 50_000_000
CLIP = clip()


def resized(data: bytes, side: int) -> bytes:
    """A JPEG whose header claims side x side pixels."""
    place = next(re.finditer(rb"\xff[\xc0\xc2]\x00", data)).start() + 5
    return data[:place] + struct.pack(">HH", side, side) + data[place + 4 :]


def scans_repeated(data: bytes, times: int) -> bytes:
    """A JPEG whose last scan comes so many times."""
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * times + b"\xff\xd9"


def images() -> dict[str, bytes]:
    small = Image.new("RGB", (64, 64), "grey")
    progressive = saved(small, "jpeg", progressive=True)
    cmyk = saved(small.convert("CMYK"), "jpeg", progressive=True)
    webp = bytearray(saved(small, "webp", lossless=True))
    webp[21:25] = struct.pack("<I", 16382 | 16382 << 14)
    return {
        "1000 scans": scans_repeated(resized(progressive, 8000), 1000),
        "20 large scans": scans_repeated(resized(progressive, 8000), 20),
        "a scan of nothing": resized(saved(small, "jpeg"), 8000),
        "large CMYK": resized(cmyk, 8000),
        "65500 x 65500": resized(progressive, 65500),
        "100,000 comments": b"\xff\xd8" + b"\xff\xfe\0\3x" * 100_000,
        "png of 50,000 x 50,000": png(50_000, 50_000, 8, 2, b""),
        "png that ends early": png(8000, 8000, 8, 2, bytes(1 << 20)),
        "png with large words": png(8, 8, 8, 2, b"", zTXt=b"a\0\0" + zlib.compress(bytes(1 << 28))),
        "webp of 16383 x 16383": bytes(webp),
    }


def table(data: bytes, name: bytes, at: int, *values: int) -> bytes:
    """An MP4 with other numbers in a table, from a place behind its name on."""
    place = data.index(name) + 4 + at
    new = struct.pack(f">{len(values)}I", *values)
    return data[:place] + new + data[place + len(new) :]


def clips() -> dict[str, bytes]:
    fragments = clip(mux={"movflags": "frag_keyframe+empty_moov+default_base_moof"})
    mkv, avi = clip(container="matroska"), clip(container="avi")
    one_size = table(table(CLIP, b"stsz", 4, 1, MANY), b"stts", 4, 1, MANY, 1)
    place = mkv.index(b"\x18\x53\x80\x67") + 4
    length = avi.index(b"strh") + 8 + 32
    raw = clip(1, "avi", "rawvideo")
    size = raw.index(b"strf") + 12
    return {
        "50 million samples": one_size,
        "50 million samples of 0 bytes": table(one_size, b"stsz", 4, 0, MANY),
        "50 million samples of sound": table(one_size, b"hdlr", 8, int.from_bytes(b"soun", "big")),
        "50 million in chunks": table(CLIP, b"stsc", 8, 1, MANY),
        "one sample over and over": table(CLIP, b"stsz", 8, 40, *[2000] * 40),
        "50 million in a fragment": table(fragments, b"trun", 0, 1, MANY),
        "a million edits": many_edits(200_000),
        "tables compressed": CLIP.replace(b"udta", b"cmov"),
        "a segment of exabytes": mkv[:place] + b"\x01" + b"\x7f" * 7 + mkv[place + 8 :],
        "2 billion frames in an avi": avi[:length] + b"\xff\xff\xff\x7f" + avi[length + 4 :][:2000],
        "65,000 x 65,000": raw[:size] + struct.pack("<II", 65000, 65000) + raw[size + 8 :],
        "100,000 boxes": CLIP[:32] + b"\0\0\0\x08free" * 110_000,
    }


def many_edits(count: int) -> bytes:
    data = bytearray(CLIP)
    place = data.index(b"elst")
    more = struct.pack(">IiI", 1000, 0, 65536) * count
    grown = data[: place + 24] + more + data[place + 24 :]
    struct.pack_into(">I", grown, place + 8, 1 + count)
    for name in (b"elst", b"edts", b"trak", b"moov"):
        size = grown.index(name) - 4
        struct.pack_into(">I", grown, size, struct.unpack_from(">I", grown, size)[0] + len(more))
    return bytes(grown)


def sounds() -> dict[str, bytes]:
    flac, wav = audio_bytes(hum(1), container="FLAC"), audio_bytes(hum(1))
    silence = audio_bytes(np.zeros((1 << 20, 8)), 48000, "FLAC")
    endless = silence[:21] + bytes([silence[21] & 0xF0]) + bytes(4)
    return {
        "64 billion samples": flac[:21] + bytes([flac[21] | 15]) + b"\xff" * 4 + flac[26:],
        "silence": silence,
        "silence without an end": endless + silence[26:],
        "60,000 channels": wav[:22] + b"\x60\xea" + wav[24:],
        "4 GHz": wav[:24] + b"\xff\xff\xff\xff" + wav[28:],
        "100,000 chunks": wav[:12] + b"junk\0\0\0\0" * 100_000 + wav[12:],
        "chunks of 2 GB": wav[:16] + b"\xff\xff\xff\x7f" + wav[20:],
    }  # fmt: skip


def clouds() -> dict[str, bytes]:
    shapes = {
        "true": "(True, 3)", "400 digits": f"({'9' * 400}, 3)", "9000 digits": f"({'9' * 9000}, 3)",
        "deep": "(" * 95 + ")" * 95, "deeper": "(" * 4000, "a sum": "(" + "1+" * 4000 + "1, 3)",
        "terabytes": "(1000000, 3)", "code": "__import__('os').abort()",
    }  # fmt: skip
    headers = {
        name: f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
        for name, shape in shapes.items()
    }
    return {
        name: b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
        for name, header in headers.items()
    }


def depths() -> dict[str, Sample]:
    deep, digits = b"[" * 900 + b"]" * 900, b"9" * 400
    sensor = json.dumps({"depth": SENSOR}).encode()
    good = depth_png(waves())
    return {
        "1 x 1,000,000": {"depth.png": png(1, 1_000_000, 16, 0, b""), "meta.json": sensor},
        "400 digits": {"depth.png": good, "meta.json": sensor.replace(b"520.0", digits)},
        "deep": {"depth.png": good, "meta.json": sensor.replace(b"520.0", deep)},
        "deeper": {"depth.png": good, "meta.json": sensor.replace(b"520.0", b"[" * 100_000)},
        "many": {"depth.png": good, "meta.json": b"[" + b"[]," * 10_000_000 + b"[]]"},
    }


def corpus() -> dict[str, tuple[str, Sample]]:
    """Name -> (member, sample)."""
    made = {"image": images(), "video": clips(), "audio": sounds(), "points": clouds()}
    files = {
        "image": "image.jpg",
        "video": "video.mp4",
        "audio": "audio.wav",
        "points": "points.npy",
    }
    found = {
        f"{member}: {name}": (member, {files[member]: data})
        for member, group in made.items()
        for name, data in group.items()
    }
    found |= {f"depth: {name}": ("depth", sample) for name, sample in depths().items()}
    for name, data in {"deep": b"[" * 500_000, "digits": b'{"captions": ' + b"9" * 900_000}.items():
        found[f"text: {name}"] = ("text", {"text.json": data})
    return found


def refusal(case: tuple[str, tuple[str, Sample]]) -> tuple[str, str, float, float]:
    """(name, reason, seconds of this process, megabytes that it grew by)."""
    name, (member, sample) = case
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        decode_text(sample) if member == "text" else check_member(sample, member)
        reason = "accepted"
    except UnreadableSample as error:
        reason = str(error)
    except BaseException as error:
        reason = f"{type(error).__name__} escaped"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return name, reason, time.process_time() - start, grown / 1024


if __name__ == "__main__":
    with get_context("fork").Pool(1, maxtasksperchild=1) as processes:
        print(json.dumps(processes.map(refusal, list(corpus().items()), chunksize=1)))

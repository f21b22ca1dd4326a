"""The tar reader: every ordinary writer's tars, and one clear line for what is made to hurt."""

import io
import itertools
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
from xxhash import xxh3_128_hexdigest

from pipeline.shards import ShardInfo, read_shard
from pipeline.tar import BLOCK, TarError, plain_files, proved_files
from tests.pipeline.refusals import ODD_PLACES, refused

NAMES = ["a.txt", "folder/b.txt", "ü" * 90, "long/" * 60 + "c.txt", "p" * 90 + "/" + "n" * 60]


def made(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for info, data in entries:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def entry(name: str = "a.txt", kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def raw(kind: bytes, data: bytes, name: str = "x", size: int | None = None) -> bytes:
    """One header as it is, its checksum right, with what follows it."""
    info = tarfile.TarInfo(name)
    info.size, info.type = len(data) if size is None else size, kind
    return info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % BLOCK)


def read(tar: bytes) -> list[tuple[str, bytes]]:
    return list(plain_files(io.BytesIO(tar), len(tar)))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_pythons_tars_of_every_format_are_read(form: int) -> None:
    names = NAMES if form != tarfile.USTAR_FORMAT else ["a.txt", NAMES[-1]]
    entries = [(name, bytes([n]) * 700 * n) for n, name in enumerate(names)]
    assert read(made(*((entry(name), data) for name, data in entries), form=form)) == entries


@pytest.mark.parametrize("form", ["gnu", "pax", "posix", "oldgnu", "v7"])
def test_gnu_tars_of_folders_are_read(tmp_path: Path, form: str) -> None:
    (tmp_path / "d" / ("e" * 20)).mkdir(parents=True)
    names = ["d/a.txt", f"d/{'e' * 20}/{'f' * (60 if form == 'v7' else 150)}"]
    for name in names:
        (tmp_path / name).write_text(name * 50)
    made = subprocess.run(
        ["tar", f"--format={form}", "-cf", "-", "d"], cwd=tmp_path, check=True, capture_output=True
    )
    assert sorted(read(made.stdout)) == sorted((name, (name * 50).encode()) for name in names)


def test_a_size_that_only_pax_or_gnu_can_write_is_read() -> None:
    pax = raw(b"x", b"12 size=600\n") + raw(b"0", bytes(600), "a", size=0)
    gnu = bytearray(raw(b"0", bytes(600), "a"))
    gnu[124:136] = b"\x80" + (600).to_bytes(11, "big")
    gnu[148:156] = b"%06o\0 " % (sum(gnu[:512]) - sum(gnu[148:156]) + 8 * 32)
    assert read(pax) == read(bytes(gnu)) == [("a", bytes(600))]


DAMAGED = {
    "a link": (made((entry(kind=tarfile.SYMTYPE, link="/etc/passwd"), b"")), "no plain file"),
    "a hard link": (made((entry(kind=tarfile.LNKTYPE, link="b"), b"")), "no plain file"),
    "a device": (made((entry(kind=tarfile.CHRTYPE), b"")), "no plain file"),
    "a pipe": (made((entry(kind=tarfile.FIFOTYPE), b"")), "no plain file"),
    "gnu's sparse": (raw(b"S", b""), "no plain file"),
    "pax's sparse": (raw(b"x", b"22 GNU.sparse.major=1\n") + raw(b"0", b""), "a sparse file"),
    "a chain of pax headers": (raw(b"x", b"9 a=bcd\n"[:8] + b"\n") * 3000, "pax|more about"),
    "a chain of good pax headers": (raw(b"x", b"8 a=bcd\n") * 3000, "more about"),
    "a chain of long names": (raw(b"L", b"name\0") * 3000, "more about"),
    "a chain of global headers": (raw(b"g", b"8 a=bcd\n") * 3000, "more about"),
    "a huge pax header": (raw(b"x", b"1" * 100_000), "more about"),
    "a huge long name": (raw(b"L", b"n" * 100_000), "more about"),
    "backtracking": (raw(b"x", b"1" * 60_000), "damaged pax header"),
    "backtracking spaces": (raw(b"x", b"1 " * 30_000), "damaged pax header"),
    "a record of length 0": (raw(b"x", b"0 a=b\n"), "damaged pax header"),
    "a record beyond its header": (raw(b"x", b"99 a=b\n"), "damaged pax header"),
    "a record without =": (raw(b"x", b"6 abc\n"), "damaged pax header"),
    "a size of words": (raw(b"x", b"11 size=ab\n") + raw(b"0", b""), "damaged size"),
    "a size of 400 digits": (
        raw(b"x", b"410 size=" + b"9" * 400 + b"\n") + raw(b"0", b""), "damaged size",
    ),
    "more than the tar": (raw(b"0", b"", size=1 << 32), "before the tar's end"),
    "a folder's name in latin-1": (raw(b"L", b"\xff\0") + raw(b"0", b""), "no name in UTF-8"),
    "half a header": (raw(b"0", b"")[:300], "damaged header"),
    "another tar behind its end": (2 * made((entry(), b"")), "another tar behind its end"),
    "half a file": (raw(b"0", bytes(600))[:800], "before the tar's end"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_what_is_no_tar_of_plain_files_is_refused(tmp_path: Path, case: str) -> None:
    tar, said = DAMAGED[case]
    (tmp_path / "a.tar").write_bytes(tar)
    info = ShardInfo(name="a.tar", count=1, bytes=len(tar), xxh3=xxh3_128_hexdigest(tar))
    line = refused(lambda: list(read_shard(tmp_path, info)))
    assert re.search(rf"a\.tar: unreadable after 0 samples \(.*({said})", line)


def test_what_old_writers_leave_behind_the_end_is_passed_over() -> None:
    assert read(made((entry(), b"data")) + b"\xff" * BLOCK) == [("a.txt", b"data")]


def test_any_flipped_bit_of_a_header_is_noticed() -> None:
    good = made((entry(), b"data"))
    for place, bit in itertools.product((0, 99, 124, 135, 148, 156, 257, 345, 511), (1, 64)):
        tar = bytearray(good)
        tar[place] ^= bit
        with pytest.raises(TarError, match="damaged header"):
            read(bytes(tar))


@pytest.mark.parametrize("kind", ODD_PLACES)
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    ODD_PLACES[kind](tmp_path / "a.tar")
    size = (tmp_path / "a.tar").stat().st_size
    info = ShardInfo(name="a.tar", count=1, bytes=size, xxh3="")
    assert "a.tar: missing shard" in refused(lambda: list(read_shard(tmp_path, info)))


def test_only_what_is_asked_for_is_in_memory(tmp_path: Path) -> None:
    """A sparse tar of 1 TB whose first entry is all of it."""
    size = 1 << 40
    (tmp_path / "a.tar").write_bytes(raw(b"0", b"", size=size - BLOCK)[:BLOCK])
    os.truncate(tmp_path / "a.tar", size)
    with (
        (tmp_path / "a.tar").open("rb") as file,
        pytest.raises(TarError, match="larger than any sample is"),
    ):
        next(plain_files(file, size))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("names", [NAMES, NAMES[:1], NAMES[2:]])
def test_proved_parts_hold_what_the_whole_tar_holds(names: list[str], form: int) -> None:
    tar = made(*((entry(name), name.encode() * 99) for name in names), form=form)
    assert proved_files(tar.rstrip(b"\0") + bytes(BLOCK)) == read(tar)


def test_a_proved_part_that_claims_more_than_it_has_is_refused() -> None:
    with pytest.raises(TarError, match="before the tar's end"):
        proved_files(raw(b"0", b"abc", size=9999))


def test_a_proved_part_with_a_negative_length_is_refused() -> None:
    """What goes back by as much as it claims would be read for ever."""
    header = bytearray(raw(b"0", b"abc"))
    header[124:136] = b"-0000002000\0"
    with pytest.raises(TarError):
        proved_files(bytes(header))

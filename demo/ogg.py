"""Give an Ogg stream a fixed serial number, where an encoder draws a random one.

Layout: RFC 3533, section 6; a page's checksum covers the page with its checksum field at 0.
"""

import struct
from collections.abc import Iterator

_POLYNOMIAL = 0x04C11DB7
_SERIAL, _CHECKSUM, _SEGMENTS, _LACING = 14, 22, 26, 27
"""Offsets of a page's fields."""


def with_serial(stream: bytes, serial: int) -> bytes:
    """The same Ogg stream with `serial` (0..2**32-1) in every page.

    Raises:
        ValueError: it is not a whole number of Ogg pages.
    """
    pages = []
    for page in _pages(stream):
        struct.pack_into("<I", page, _SERIAL, serial)
        struct.pack_into("<I", page, _CHECKSUM, 0)
        struct.pack_into("<I", page, _CHECKSUM, _checksum(page))
        pages.append(bytes(page))
    return b"".join(pages)


def _pages(stream: bytes) -> Iterator[bytearray]:
    start = 0
    while start < len(stream):
        header = stream[start : start + _LACING]
        if len(header) < _LACING or header[:4] != b"OggS":
            raise ValueError(f"no Ogg page at byte {start}")
        body = start + _LACING + header[_SEGMENTS]
        stop = body + sum(stream[start + _LACING : body])
        if stop > len(stream):
            raise ValueError(f"the Ogg page at byte {start} is cut off")
        yield bytearray(stream[start:stop])
        start = stop


def _table_entry(byte: int) -> int:
    remainder = byte << 24
    for _ in range(8):
        remainder = (remainder << 1) ^ (_POLYNOMIAL if remainder & 0x80000000 else 0)
    return remainder & 0xFFFFFFFF


_TABLE = [_table_entry(byte) for byte in range(256)]


def _checksum(page: bytes | bytearray) -> int:
    """Most significant bit first, starting at 0: not the CRC-32 of zlib."""
    value = 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ _TABLE[(value >> 24) ^ byte]
    return value

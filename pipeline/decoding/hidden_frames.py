"""Frames that VP8 and VP9 store to predict others from and never show, as two-pass encoders do."""

from av.packet import Packet


def is_shown(codec: str, packet: Packet) -> bool:
    """Whether a packet holds a frame that is shown, by its first or last byte."""
    if codec == "vp8":
        return bool(memoryview(packet)[0] & 0x10)  # show_frame: RFC 6386, 9.1
    return codec != "vp9" or _shows_vp9(memoryview(packet))


def _shows_vp9(data: memoryview) -> bool:
    """VP9 bitstream specification, 6.2 and annex B."""
    last = data[-1]
    index = 2 + ((last >> 3 & 3) + 1) * ((last & 7) + 1)
    if last & 0xE0 == 0xC0 and index <= len(data) and data[-index] == last:
        return True  # a superframe ends with the frame that it shows
    profile_3 = data[0] & 0x30 == 0x30
    header = int.from_bytes(data[:2], "big") << (1 if profile_3 else 0)  # which has a bit more
    show_existing, show = header & 0x0800, header & 0x0200
    return bool(show_existing or show)

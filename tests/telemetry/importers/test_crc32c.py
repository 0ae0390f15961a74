"""The checksum of TFRecord files, in every way in which it is computed."""

from __future__ import annotations

import random
import sys
import types

import pytest

from crucible.telemetry.importers import crc32c as module
from crucible.telemetry.importers.crc32c import crc32c, crc32c_each, masked

RFC_3720 = {
    bytes(32): 0x8A9136AA,
    b"\xff" * 32: 0x62A8AB43,
    bytes(range(32)): 0x46DD794E,
    bytes(range(31, -1, -1)): 0x113FDB5C,
    b"123456789": 0xE3069283,
    b"": 0,
}


def bit_by_bit(data: bytes) -> int:
    """Return the checksum as its definition says it."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def test_it_is_castagnolis() -> None:
    """The check values of RFC 3720 come out, one by one and together."""
    assert [crc32c(data) for data in RFC_3720] == list(RFC_3720.values())
    assert crc32c_each(list(RFC_3720)) == list(RFC_3720.values())


def test_all_ways_agree() -> None:
    """Records alone, many of one length side by side, and long ones in lanes give what the definition gives."""
    chance = random.Random(5)
    lengths = [0, 1, 7, 50, 255, 256, 257, 1000, 8191, 8192, 8193, 20_000]
    records = [chance.randbytes(length) for length in lengths for _ in range(1 if length > 300 else 20)]
    assert module._each(records) == [bit_by_bit(record) for record in records]


def test_an_installed_module_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `crc32c` can be imported, it does the work."""
    asked: list[bytes] = []

    def compute(data: bytes) -> int:
        asked.append(data)
        return bit_by_bit(data)

    quick = types.ModuleType("crc32c")
    quick.crc32c = compute  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "crc32c", quick)
    module._installed.cache_clear()
    try:
        assert crc32c_each([b"123456789", b"x"]) == [0xE3069283, bit_by_bit(b"x")]
        assert asked == [b"123456789", b"x"]
    finally:
        module._installed.cache_clear()


def test_it_is_masked_as_tensorflow_masks_it() -> None:
    """The mask rotates by 15 bits and adds a constant: the record header of length 24 is in every event file."""
    assert masked(0) == 0xA282EAD8
    assert masked(crc32c((24).to_bytes(8, "little"))).to_bytes(4, "little") == b"\xa3\x7fK\x22"

"""TFRecord files: length, checksum of the length, data, checksum of the data; one record after the other.

A damaged record is reported and left out. Where a length is damaged, the next place whose length and checksum agree is
looked for. A claimed length is believed only as far as the file goes.

Source:
    https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from crucible.telemetry.importers.crc32c import crc32c, crc32c_each, masked
from crucible.telemetry.importers.problem import Problems
from crucible.telemetry.importers.reading import fault

__all__ = ["RecordFile"]

_HEADER = 12
_FOOTER = 4
_HUGE = 1 << 28  # 256 MiB; no event with numbers is so long
_BATCH_RECORDS = 8192
_BATCH_BYTES = 1 << 23
_BLOCK = 1 << 20
# A length below 4 GiB that is not 0, and its checksum; a look-ahead, since a false place may overlap the true one.
_LIKELY = re.compile(rb"(?=(?!\0{4}).{4}\0{4}.{4})", re.DOTALL)


class RecordFile:
    """The records of one file.

    Args:
        path: The file.
        problems: Takes what is damaged; a last record that is not whole is `torn`.
        check_crc: Whether the checksum of the data is checked; that of the length always is.
    """

    def __init__(self, path: Path, problems: Problems, *, check_crc: bool = True) -> None:
        self.path = path
        self.huge = 0
        self._problems = problems
        self._check_crc = check_crc
        self._lengths: dict[bytes, int] = {}  # headers repeat: 12 bytes that agreed, and the length they say

    def __iter__(self) -> Iterator[bytes]:
        """Yield the data of every whole record.

        Raises:
            StoreError: The file cannot be opened or read.
        """
        self.huge = 0
        try:
            with self.path.open("rb") as file:
                yield from self._checked(file)
        except OSError as error:
            raise fault(self.path, error) from error

    def first(self) -> bytes | None:
        """Return the data of the first record; None if it is damaged or there is none."""
        try:
            with self.path.open("rb") as file:
                framed = next(self._framed(file), None)
        except OSError as error:
            raise fault(self.path, error) from error
        if framed is None:
            return None
        place, record, claim = framed
        return next(self._sound([place], [record], [claim]), None)

    def _checked(self, file: BinaryIO) -> Iterator[bytes]:
        places: list[int] = []
        records: list[bytes] = []
        claims: list[bytes] = []
        size = 0
        for place, record, claim in self._framed(file):
            places.append(place)
            records.append(record)
            claims.append(claim)
            size += len(record)
            if len(records) >= _BATCH_RECORDS or size >= _BATCH_BYTES:
                yield from self._sound(places, records, claims)
                places, records, claims, size = [], [], [], 0
        yield from self._sound(places, records, claims)

    def _sound(self, places: list[int], records: list[bytes], claims: list[bytes]) -> Iterator[bytes]:
        if not self._check_crc:
            yield from records
            return
        for place, record, claim, crc in zip(places, records, claims, crc32c_each(records), strict=True):
            if masked(crc) == int.from_bytes(claim, "little"):
                yield record
            else:
                message = f"the checksum of a record of {len(record)} bytes does not match; it was left out"
                self._problems.report("damaged", self.path, message, offset_bytes=place)

    def _framed(self, file: BinaryIO) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield place, data and claimed checksum of every record whose length can be believed."""
        place, end = 0, os.fstat(file.fileno()).st_size
        while header := file.read(_HEADER):
            length = self._length(header)
            if length is None:
                if len(header) < _HEADER:
                    self._torn(place, len(header))
                    return
                found = self._next_place(file, place + 1)
                lost = (end if found is None else found) - place
                message = f"the length of a record is damaged; {lost} bytes were left out"
                self._problems.report("damaged", self.path, message, offset_bytes=place)
                if found is None:
                    return
                place = found
                file.seek(place)
                continue
            after = place + _HEADER + length + _FOOTER
            if after > end:
                end = os.fstat(file.fileno()).st_size  # it may have grown
                if after > end:
                    self._torn(place, end - place)
                    return
            if length > _HUGE:
                self.huge += 1
                file.seek(after)
            else:
                data = file.read(length + _FOOTER)
                if len(data) < length + _FOOTER:  # cut while it was read
                    self._torn(place, _HEADER + len(data))
                    return
                yield place, data[:length], data[length:]
            place = after

    def _length(self, header: bytes) -> int | None:
        found = self._lengths.get(header)
        if found is None and len(header) == _HEADER:
            length, claim = struct.unpack("<QI", header)
            if masked(crc32c(header[:8])) != claim:
                return None
            if len(self._lengths) < _BATCH_RECORDS:
                self._lengths[header] = length
            return length
        return found

    def _torn(self, place: int, left: int) -> None:
        message = f"the last record is not whole ({left} bytes), as one that is being written; it was left out"
        self._problems.report("torn", self.path, message, offset_bytes=place)

    def _next_place(self, file: BinaryIO, start: int) -> int | None:
        """Return the first place from `start` where a length and its checksum agree; None if there is none."""
        file.seek(start)
        block = file.read(_BLOCK)
        while len(block) >= _HEADER:
            for match in _LIKELY.finditer(block):
                at = match.start()
                if self._length(block[at : at + _HEADER]) is not None:
                    return start + at
            kept = _HEADER - 1
            start += len(block) - kept
            fresh = file.read(_BLOCK)
            if not fresh:
                return None
            block = block[-kept:] + fresh
        return None

"""One line of a record: what became of one measurement, as JSON with a guard against torn and altered lines.

A line is a JSON object whose last key, `crc`, is the CRC-32 of all bytes before it, so that half a line is never taken
for a whole one. Its other keys are those that `crucible.stats` reads (`id`, `input`, `expected`, `scores`) and more.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

import msgspec

from crucible.data.evaluating._bad_line import BadLine
from crucible.data.items import Item
from crucible.ir import Failed, Outcome, Skipped

__all__ = ["Line", "decode_line", "encode_line", "fingerprint"]

_GUARD = b',"crc":"'
_TAIL = len(_GUARD) + 8 + len(b'"}')  # the guard as it ends a line, without the line break


class Line(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One measurement of one item.

    Args:
        id: The item's id.
        n: The item's place in the dataset, from 0.
        digest: Of the item, 16 hexadecimal digits; see `fingerprint`.
        input: What was asked.
        expected: The answer wanted; None where there is none.
        output: The model's answer; None if there is none.
        stop_reason: `stop` or `length`; None without an answer.
        scores: Outcome by scorer.
        repeat: Which repeat it is, from 0; absent where items are asked once.
        prompt_tokens: Tokens that the model read.
        completion_tokens: Tokens that it wrote.
        truncated_prompt: The prompt lost its beginning.
        synthetic: The item is made up.
    """

    id: str
    n: int
    digest: str
    input: Any
    expected: Any
    output: str | None
    stop_reason: str | None
    scores: dict[str, Outcome]
    repeat: int | msgspec.UnsetType = msgspec.UNSET
    prompt_tokens: int = 0
    completion_tokens: int = 0
    truncated_prompt: bool = False
    synthetic: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode
_canonical = msgspec.json.Encoder(order="deterministic").encode


def encode_line(line: Line) -> bytes:
    """Return a line with its guard and its line break.

    Raises:
        TypeError: The item's input or expected answer is no JSON value.
    """
    try:
        body = _encode(line)[:-1]
    except UnicodeEncodeError:  # half of a pair of surrogates, which a model may write and UTF-8 cannot
        output = None if line.output is None else line.output.encode(errors="replace").decode()
        scores = {name: _whole(outcome) for name, outcome in line.scores.items()}
        body = _encode(msgspec.structs.replace(line, output=output, scores=scores))[:-1]
    return b'%b,"crc":"%08x"}\n' % (body, zlib.crc32(body))


def decode_line(text: bytes) -> Line:
    """Read a line, without or with its line break.

    Raises:
        BadLine: It is torn, altered, or no measurement; the message says which.
    """
    text = text.rstrip(b"\n")
    body, guard = text[:-_TAIL], text[-_TAIL:]
    if not (guard.startswith(_GUARD) and text.endswith(b'"}')):
        raise BadLine("it has no guard at its end")
    if b"%08x" % zlib.crc32(body) != guard[len(_GUARD) : -2]:
        raise BadLine("its content does not fit its guard")
    try:
        return _decode(text)
    except msgspec.DecodeError as error:
        raise BadLine(f"no measurement: {error}") from error


def _whole(outcome: Outcome) -> Outcome:
    """Return an outcome whose words can be written as UTF-8."""
    if isinstance(outcome, Failed):
        return Failed(outcome.error.encode(errors="replace").decode())
    if isinstance(outcome, Skipped):
        return Skipped(outcome.reason.encode(errors="replace").decode())
    return outcome


def fingerprint(item: Item) -> int:
    """Return 64 bits that tell an item from another: of its id, question, answer and metadata.

    Metadata that is no JSON does not count.
    """
    try:
        text = _canonical(item)
    except (TypeError, ValueError, OverflowError):
        text = _canonical((item.id, repr(item.input), repr(item.expected)))
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())

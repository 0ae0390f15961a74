"""Damaged files of every format end in one of the package's own errors, or in a result; never in anything else."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import CrucibleError
from crucible.stats.readers import FORMATS, Asked, read_file

TABLE = b"id,model,score\nq1,a,1\nq1,b,0\nq2,a,1\nq2,b,1\n"
CRUCIBLE = b'{"id":"a","scores":{"m":{"kind":"scored","value":1.0}}}\n'
HARNESS = b'{"doc_id":0,"doc":{"q":"?"},"resps":[["a"]],"filter":"none","metrics":["acc"],"doc_hash":"x","acc":1.0}\n'
ROWS = b'[{"id":1,"score":0.5},{"id":2,"score":true}]'
COLUMNS = b'{"a":[1,2,3],"b":[1,2,4]}'


def _damaged(whole: bytes, draw: random.Random) -> bytes:
    """Return bytes of which some were changed, taken out or put in, and perhaps the end is missing."""
    made = bytearray(whole)
    for _ in range(draw.choice((0, 1, 2, 5, 30))):
        if not made:
            break
        place, how = draw.randrange(len(made)), draw.random()
        if how < 0.4:
            made[place] = draw.randrange(256)
        elif how < 0.6:
            del made[place : place + draw.randrange(1, 50)]
        elif how < 0.85:
            made[place:place] = bytes(draw.choices(b'{}[]",:0\n\r\t;\\u00ffNaN', k=draw.randrange(1, 8)))
        else:
            del made[place:]
    return bytes(made)


def test_no_other_error_leaves_a_reader(
    tmp_path: Path,
    write_eval: Callable[..., Path],
    header: Callable[..., dict[str, Any]],
    sample: Callable[..., dict[str, Any]],
) -> None:
    """Six hundred damaged files, each read by its content and as one of the formats."""
    samples = [sample(str(i), 1, {"match": "C"}) for i in range(1, 4)]
    log = json.dumps({**header(), "samples": samples}).encode()
    zipped = write_eval("log.eval", samples, summaries=samples).read_bytes()
    draw, path, read = random.Random(3), tmp_path / "damaged", 0
    for _ in range(600):
        path.write_bytes(_damaged(draw.choice((TABLE, CRUCIBLE, HARNESS, ROWS, COLUMNS, log, zipped)), draw))
        for asked in (Asked(is_alone=True), Asked(format=draw.choice(list(FORMATS)), item="id")):
            with contextlib.suppress(CrucibleError):
                read += bool(read_file(path, asked).conditions)
    assert read > 50, "almost nothing was still readable: the damage is too great to test anything"


@pytest.mark.parametrize("whole", [CRUCIBLE, HARNESS])
def test_bytes_that_are_no_text_are_named_by_line(tmp_path: Path, whole: bytes) -> None:
    """A line in another encoding is not half read."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(whole + b'{"\xe8": 1}\n')
    with pytest.raises(CrucibleError, match=r"a\.jsonl:2: "):
        read_file(path)

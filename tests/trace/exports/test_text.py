"""Chains as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from crucible.trace import Chain, Event
from crucible.trace.exports import CSV_COLUMNS, to_csv, to_json

START = datetime(2026, 1, 1, 9, tzinfo=UTC)


def chain_of(*events: Event) -> Chain:
    """Return a chain as a file would give it: repeated ids are fine."""
    chain = Chain("chain", created_at=START)
    for event in events:
        chain._append(event)
    return chain


def unguarded(cell: str) -> str:
    """Return a cell without the apostrophe that keeps a spreadsheet from calculating it."""
    return cell[1:] if re.match("'+[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]", cell) else cell


def listed(cell: str) -> list[str]:
    """Return the words of a list cell."""
    cell = unguarded(cell)
    return json.loads(cell) if cell.startswith("[") else cell.split("; ") if cell else []


def as_event(row: dict[str, str]) -> dict[str, Any]:
    """Return a row as `Event.to_dict` would give it; an empty optional text counts as none."""
    texts = {name: unguarded(cell) for name, cell in row.items()}
    optional = ("code_section", "spec_reference", "parent_id", "stage_id", "experiment_id")
    return {
        **texts,
        **{name: texts[name] or None for name in optional},
        "alternatives": listed(row["alternatives"]),
        "depends_on": listed(row["depends_on"]),
        "confidence": float(row["confidence"]) if row["confidence"] else None,
        "metadata": json.loads(row["metadata"]),
    }


TEXTS = st.one_of(
    st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.text(alphabet=st.sampled_from("=+-@\t\r\n'\",;[] ax\uff1d")),
)
OPTIONAL = st.one_of(st.none(), TEXTS.filter(bool))
EVENTS = st.builds(
    Event,
    TEXTS,
    st.integers(0, 10**12).map(lambda us: START + timedelta(microseconds=us)),
    TEXTS,
    TEXTS,
    TEXTS,
    st.lists(TEXTS, max_size=3).map(tuple),
    st.one_of(st.none(), st.floats(-1, 1)),
    OPTIONAL,
    OPTIONAL,
    st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(-5, 5), st.none()), max_size=3),
    OPTIONAL,
    st.lists(TEXTS, max_size=3).map(tuple),
    OPTIONAL,
    OPTIONAL,
)


@given(events=st.lists(EVENTS, max_size=3))
def test_csv_gives_all_fields_back_with_the_standard_reader(events: list[Event]) -> None:
    """Every one of the 14 fields comes back, whatever quotes, commas, line breaks and formulas are in it."""
    rows = list(csv.DictReader(io.StringIO(to_csv(chain_of(*events)), newline="")))
    assert [as_event(row) for row in rows] == [event.to_dict() for event in events]


def test_csv_gives_all_fields_back_with_pandas() -> None:
    """Pandas reads the same cells as the standard reader, and the confidences as numbers."""
    nasty = ['a "quoted", text', "two\nlines", "carriage\rreturn", "both\r\n", "=1+1", "'=1", "-0.5", "NA", " spaced "]
    events = [
        Event.new(word, word, word, id=f"{place}", alternatives=[word, "b;c"], confidence=-0.5, metadata={word: word})
        for place, word in enumerate(nasty)
    ]
    text = to_csv(chain_of(*events))
    frame = pd.read_csv(io.StringIO(text, newline=""), dtype=str, keep_default_na=False)
    assert [as_event(row) for row in frame.to_dict("records")] == [event.to_dict() for event in events]
    assert pd.read_csv(io.StringIO(text, newline=""))["confidence"].tolist() == [-0.5] * len(nasty)


def test_csv_begins_with_the_columns_of_the_predecessor() -> None:
    """Its nine in its order, then the rest; lines end with CRLF, the last one, too; no events leave the header."""
    header = "id,timestamp,type,decision,alternatives,reasoning,confidence,code_section,spec_reference"
    assert to_csv(Chain("empty")) == f"{header},parent_id,depends_on,stage_id,experiment_id,metadata\r\n"
    event = Event.new("decision_made", "d", "r", id="x", timestamp=START, alternatives=["a", "b"], confidence=1)
    assert to_csv(chain_of(event)).splitlines(keepends=True)[1:] == [
        "x,2026-01-01T09:00:00.000000Z,decision_made,d,a; b,r,1.0,,,,,,,{}\r\n"
    ]
    assert len(CSV_COLUMNS) == 14


def test_no_cell_of_text_is_a_formula() -> None:
    """Texts that a spreadsheet would calculate are guarded in every column; numbers stay numbers."""
    for word in ("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "'=1", "''-1"):
        event = Event(word, START, word, word, word, (word,), -0.5, word, word, {}, word, (word,), word, word)
        (row,) = csv.DictReader(io.StringIO(to_csv(chain_of(event)), newline=""))
        for name, cell in row.items():
            if name not in ("timestamp", "confidence", "metadata"):
                assert cell.startswith(("'", "[")), name
        assert row["confidence"] == "-0.5"


def test_lists_that_the_joint_would_blur_are_json() -> None:
    """A word with a semicolon, an empty one, spaces at its ends, or a bracket in front."""

    def cell(*words: str) -> str:
        (row,) = csv.DictReader(io.StringIO(to_csv(chain_of(Event.new("x", "d", "r", alternatives=words)))))
        return row["alternatives"]

    assert cell("a", "b c") == "a; b c"
    assert cell() == ""
    assert cell("a;b") == '["a;b"]'
    assert cell("") == '[""]'
    assert cell(" a") == '[" a"]'
    assert cell("[a]", "b") == '["[a]","b"]'


def test_texts_that_no_file_holds_are_spelled_out() -> None:
    """A NUL and half a surrogate pair become words, so that the text can be written as UTF-8 and read by anything."""
    event = Event.new("x", "a\0b", "c\ud800d", metadata={"\ud800": float("nan")}, confidence=float("nan"))
    text = to_csv(chain_of(event))
    text.encode()
    assert r"a\x00b" in text
    assert r"c\ud800d" in text
    assert ",nan," in text
    written = json.loads(to_json(chain_of(event)))["events"][0]
    assert written["reasoning"] == r"c\ud800d"
    assert written["metadata"] == {r"\ud800": "nan"}


def test_keys_of_foreign_files_are_kept() -> None:
    """What no version knows stands in a column of its own, which is there only where it is needed."""
    plain = Event.new("x", "d", "r")
    foreign = Event.from_dict({**plain.to_dict(), "id": "other", "color": "red"})
    rows = list(csv.DictReader(io.StringIO(to_csv(chain_of(plain, foreign)))))
    assert [row["extra"] for row in rows] == ["", '{"color":"red"}']


@given(events=st.lists(EVENTS, max_size=3))
def test_json_reads_back_as_the_same_chain(events: list[Event]) -> None:
    """The text is what `Chain.from_dict` takes; repeated ids and unknown types are no obstacle."""
    chain = chain_of(*(event for event in events if event.type and event.id))
    text = to_json(chain)
    assert text.endswith("}\n")
    assert Chain.from_dict(json.loads(text)) == chain


def test_json_of_deep_metadata() -> None:
    """Sixty levels of nesting come through whole."""
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    text = to_json(chain_of(Event.new("x", "d", "r", metadata={"deep": deep})))
    assert json.loads(text)["events"][0]["metadata"]["deep"] == deep


def test_numbers_of_numpy_are_plain_cells() -> None:
    """A confidence of NumPy's is a number, not the call that makes one."""
    chain = Chain("c")
    chain.add(Event.new("x", "d", "r", confidence=np.float64(0.5)))
    chain.add(Event.new("x", "d", "r", confidence=10**5000))
    cells = [row["confidence"] for row in csv.DictReader(io.StringIO(to_csv(chain)))]
    assert cells[0] == "0.5"
    assert cells[1].startswith("0x")

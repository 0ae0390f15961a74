"""What goes into the page: a compact chain that loses nothing, in JSON that cannot end its element."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.trace import Chain, Event
from crucible.trace.viewer.encoding import encode, safe_json, types_in

START = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = st.text(alphabet=st.characters(), max_size=12)  # lone surrogates, too


def _decoded(chain: Chain) -> list[dict[str, Any]]:
    """Read the encoded chain back as the page does."""
    data: dict[str, Any] = json.loads(safe_json(encode(chain.events, types_in(chain))))
    ids = [row[0] for row in data["events"]]

    def said(value: Any) -> Any:
        return data["strings"][value] if isinstance(value, int) else value

    def link(value: Any) -> Any:
        return ids[value - 1] if isinstance(value, int) else value

    found: list[dict[str, Any]] = []
    for short in data["events"]:
        row: list[Any] = [*short, *[0] * (15 - len(short))]
        metadata = dict(zip(data["shapes"][row[9][0]], row[9][1:], strict=True)) if row[9] else {}
        found.append(
            {
                "id": row[0],
                "us": row[1],
                "type": data["types"][row[2] - 1]["name"],
                "decision": said(row[3]),
                "reasoning": said(row[4]),
                "confidence": row[5],
                "parent_id": link(row[6]) if row[6] != 0 else None,
                "stage_id": data["stages"][row[7] - 1] if row[7] else None,
                "experiment_id": data["experiments"][row[8] - 1] if row[8] else None,
                "metadata": metadata,
                "alternatives": list(map(said, row[10] or ())),
                "depends_on": list(map(link, row[11] or ())),
                "code_section": said(row[12]) if row[12] != 0 else None,
                "spec_reference": said(row[13]) if row[13] != 0 else None,
                "others": dict(row[14] or []),
            }
        )
    return found


@settings(deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["decision_made", "made up", "loss_computed"]),
                "decision": TEXTS,
                "reasoning": st.sampled_from(["the same words", "", "other"]),
                "confidence": st.one_of(st.none(), st.floats(0, 1)),
                "alternatives": st.lists(TEXTS, max_size=2),
                "parent_id": st.one_of(st.none(), st.sampled_from(["e0", "e1", "gone"])),
                "depends_on": st.lists(st.sampled_from(["e0", "e2", "away"]), max_size=2),
                "stage_id": st.one_of(st.none(), TEXTS),
                "experiment_id": st.one_of(st.none(), TEXTS),
                "code_section": st.one_of(st.none(), TEXTS),
                "spec_reference": st.one_of(st.none(), TEXTS),
                "metadata": st.dictionaries(
                    st.text(max_size=5), st.one_of(st.integers(0, 9), st.text(max_size=5)), max_size=3
                ),
            }
        ),
        max_size=5,
    )
)
def test_every_field_of_every_event_arrives(fields: list[dict[str, Any]]) -> None:
    """Interned texts, numbered links, shapes and zeros left off come back as what they stood for."""
    chain = Chain("any", created_at=START)
    for number, each in enumerate(fields):
        words: dict[str, Any] = {"id": f"e{number}", "timestamp": START + timedelta(microseconds=number), **each}
        chain.add(Event.new(words.pop("type"), words.pop("decision"), words.pop("reasoning"), **words))
    found = _decoded(chain)
    for event, read in zip(chain, found, strict=True):
        expected = event.to_dict()
        del expected["timestamp"]
        assert {name: value for name, value in read.items() if name not in ("us", "others")} == expected
    assert [read["us"] for read in found] == list(range(len(chain)))


@settings(deadline=None)
@given(st.text(alphabet=st.characters()))
def test_json_cannot_end_its_element(text: str) -> None:
    """No text brings a tag, an entity, a line separator, a lone surrogate or a change of reading direction."""
    written = safe_json({"</script><!--": text})
    assert not set(written) & set("<>&\u2028\u2029\u202e\u2066\ufeff\x7f")
    assert json.loads(written.encode().decode()) == {"</script><!--": text}


def test_what_javascript_cannot_hold_travels_as_text() -> None:
    """NaN, infinities and integers beyond 2^53 arrive as words, and a far time with its exact spelling."""
    chain = Chain("numbers", created_at=START)
    odd = {"nan": math.nan, "inf": [math.inf], "big": 2**60, "small": 5}
    chain.add(Event.new("decision_made", "a", "b", timestamp=START, metadata=odd, confidence=math.nan))
    far = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    chain.add(Event.new("decision_made", "a", "b", timestamp=far))
    first, last = _decoded(chain)
    assert first["metadata"] == {"nan": "nan", "inf": ["inf"], "big": str(2**60), "small": 5}
    assert first["confidence"] == "nan"
    assert last["us"][1] == "9999-12-31T23:59:59.999999Z"


def test_a_repeated_id_stands_for_its_first_bearer() -> None:
    """Links lead where `Chain.get` leads, and unknown keys and other spellings of a type are kept."""
    raw = {"id": "x", "timestamp": "2026-01-01T00:00:00Z", "decision": "a", "reasoning": "b"}
    rows = [{**raw, "type": "stage_start", "new_key": 7}, {**raw, "type": "decision_made", "parent_id": "x"}]
    chain = Chain.from_dict({"events": rows})
    data = encode(chain.events, types_in(chain))
    assert data["events"][1][6] == 1
    assert [entry["name"] for entry in data["types"]] == ["stage_started", "decision_made"]
    others = dict(_decoded(chain)[0]["others"])
    assert others["new_key"] == 7
    if chain[0].type == "stage_start":
        assert others["type, as written"] == "stage_start"


def test_zero_is_a_confidence() -> None:
    """A stated confidence of 0 does not become "not stated", although zeros at the end of a row are left off."""
    chain = Chain("zero", created_at=START)
    chain.add(Event.new("decision_made", "a", "b", confidence=0.0))
    chain.add(Event.new("decision_made", "a", "b"))
    assert [read["confidence"] for read in _decoded(chain)] == [0.0, None]

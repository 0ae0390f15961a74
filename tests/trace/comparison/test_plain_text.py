"""A diff as text, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

from crucible.trace import Chain, Event
from crucible.trace.comparison import DiffOptions, diff

Maker = Callable[..., Chain]


def _two(chain_of: Maker) -> tuple[Chain, Chain]:
    """Return two short runs."""
    a, b = chain_of(("stage_started", "Pipeline started"), name="run 1"), chain_of(name="run 2")
    b._append(Event.new("stage_started", "Pipeline started", "because"))
    a._append(Event.new("decision_made", "kept step 80", "lowest loss (0.41)", confidence=0.9, depends_on=[a[0].id]))
    b._append(Event.new("decision_made", "kept step 60", "lowest loss (0.41)", confidence=None))
    b._append(
        Event.new("ambiguity_flagged", "no word on\nemoji \x1b[31m", "guessed", alternatives=["x"], confidence=0.4)
    )
    return a, b


def test_text(chain_of: Maker) -> None:
    """The whole text: summary, where they part, and a section for whatever there is, in one safe line each."""
    assert diff(*_two(chain_of)).to_text() == (
        "run 1 (2 events) → run 2 (3 events)\n"
        "Similarity 66.2 %, matched by content: 1 added, 0 removed, 1 changed (1 reworded), 0 moved\n"
        "\n"
        "After 1 equal event, they part:\n"
        "  ~ [1] decision_made  kept step 60: decision, confidence, depends_on\n"
        "\n"
        "Chain (1)\n"
        "      chain.name: run 1 → run 2\n"
        "\n"
        "Added (1)\n"
        "  + [2] ambiguity_flagged  no word on emoji \\x1b[31m\n"
        "      why         guessed\n"
        "      instead of  x\n"
        "      confidence  0.4\n"
        "\n"
        "Changed (1)\n"
        "  ~ [1] decision_made  kept step 60  (reworded)\n"
        "      decision: kept step 80 → kept step 60\n"
        "      confidence: 0.9 → (none)\n"
        "\n"
        "Links (1)\n"
        "  ~ [1] decision_made  kept step 60\n"
        "      - rests on [0] Pipeline started\n"
        "\n"
        "Confidence (1)\n"
        "        —  0.9 → unsaid  [1] decision_made  kept step 60\n"
    )


def test_equal_chains(chain_of: Maker) -> None:
    """Equal chains read 100 %; a difference too small to print does not."""
    many = [("loss_computed", f"Loss: {n}") for n in range(3000)]
    assert diff(chain_of(*many), chain_of(*many)).to_text().endswith("0 moved\n\nNo differences.\n")
    shown = diff(chain_of(*many, ("a", "x")), chain_of(*many, Event.new("a", "x", "because", confidence=1.0))).to_text()
    assert "Similarity 99.9 %" in shown


def test_limit(chain_of: Maker) -> None:
    """A limit shortens sections and counts what it leaves out."""
    shown = diff(chain_of(), chain_of(*[("a", f"x{n}") for n in range(9)])).to_text(limit=2)
    assert "Added (9)" in shown
    assert "  … and 7 more\n" in shown
    assert "x2" not in shown


def test_white_space_alone_is_visible(chain_of: Maker) -> None:
    """Two texts that print the same are shown as written."""
    a, b = chain_of(("t", "keep the\tcheckpoint")), chain_of(("t", "keep the checkpoint"))
    assert "decision: 'keep the\\tcheckpoint' → 'keep the checkpoint'" in diff(a, b).to_text()


def test_json(chain_of: Maker) -> None:
    """JSON has the counts, places, fields and deltas; what one side lacks is left out there."""
    a, b = _two(chain_of)
    b[1].metadata["lr"] = 0.1
    found = diff(a, b, DiffOptions(ignore=("chain.name",)))
    data = json.loads(json.dumps(found.to_dict()))
    assert data["summary"] == found.summary
    assert data["similarity"] == found.similarity
    assert data["unchanged"] == [[0, 0]]
    assert data["added"][0]["event"]["decision"] == "no word on\nemoji \x1b[31m"
    (changed,) = data["changed"]
    assert changed["fields"]["decision"] == {"old": "kept step 80", "new": "kept step 60"}
    assert changed["fields"]["metadata.lr"] == {"new": 0.1}
    assert data["relation_changes"][0]["removed"] == [{"id": a[0].id, "place": 0, "decision": "Pipeline started"}]
    assert data["first_divergence"]["place"] == 1


def test_chains_of_one_name_are_told_apart(chain_of: Maker) -> None:
    """Heading, page and JSON say which is which: by id, time and run, and by order if all of it is the same."""
    a = chain_of(("t", "x"), name="quickstart", id="a" * 32, metadata={"run_id": "r6"})
    b = chain_of(("t", "y"), name="quickstart", id="a" * 9 + "b" * 23, metadata={"run_id": "r7"})
    found = diff(a, b)
    names = (
        "quickstart · aaaaaaaaaa · 2026-01-01 10:00 UTC · run r6",
        "quickstart · aaaaaaaaab · 2026-01-01 10:00 UTC · run r7",
    )
    assert f"{names[0]} (1 event) → {names[1]} (1 event)" in " ".join(found.to_text().split("\n")[:2])
    assert all(f"<div>{name}</div>" in found.to_html() for name in names)
    assert f"<title>What changed: {names[0]} → {names[1]}</title>" in found.to_html()
    assert names[0] in repr(found)
    data = found.to_dict()
    assert (data["a"]["run_id"], data["b"]["created_at"]) == ("r6", "2026-01-01T10:00:00+00:00")
    twice = diff(a, a).to_html()
    assert "quickstart · first · aaaaaaaa ·" in twice
    assert "quickstart · second · aaaaaaaa ·" in twice
    later = chain_of(("t", "x"), name="quickstart", id="a" * 32)
    later.created_at += timedelta(seconds=5)
    assert "10:00:00 UTC" in diff(a, later).to_text()
    assert "10:00:05 UTC" in diff(a, later).to_text()


def test_where_they_part_is_told_in_words(chain_of: Maker) -> None:
    """A mark there would say that only one chain has the event, which may just stand elsewhere in the other."""
    text = diff(chain_of(("t", "x"), ("u", "other")), chain_of(("u", "other"), ("t", "x"), ("v", "z"))).to_text()
    assert "  first:  [0] t  x\n  second: [0] u  other\n" in text
    assert "  second: [0] v" in diff(chain_of(), chain_of(("v", "z"))).to_text()
    assert "  first:  [0] (ends here)" in diff(chain_of(), chain_of(("v", "z"))).to_text()

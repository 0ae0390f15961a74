"""Chains: appending, looking up, and their files."""

from __future__ import annotations

import json
import pickle
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crucible.errors import SpecError, SpecErrors, StoreError
from crucible.trace import Chain, Event

DATA = Path(__file__).parent / "data"
FILES = sorted(DATA.glob("*.json"))
START = datetime(2026, 1, 1, tzinfo=UTC)


def event(name: str, *, after_s: float = 0, **fields: object) -> Event:
    """Return an event with a readable id."""
    kind = str(fields.pop("type", "decision_made"))
    moment = START + timedelta(seconds=after_s)
    return Event.new(kind, f"decision {name}", "R", id=name, timestamp=moment, **fields)  # type: ignore[arg-type]


@pytest.fixture
def family() -> Chain:
    """A root with two children and a grandchild, and a lone root."""
    chain = Chain("family", created_at=START)
    chain.extend(
        [
            event("root", type="stage_started", stage_id="s1", experiment_id="x"),
            event("a", parent_id="root", stage_id="s1", after_s=1, confidence=0.5),
            event("b", parent_id="root", stage_id="s2", after_s=2, confidence=0.7),
            event("aa", parent_id="a", type="loss_computed", after_s=3, experiment_id="x", alternatives=["z"]),
            event("lone", type="loss_computed", after_s=4, depends_on=["b"]),
        ]
    )
    return chain


def names(events: list[Event]) -> list[str]:
    """Return the ids."""
    return [entry.id for entry in events]


def test_new_chain() -> None:
    """A new chain has an id of 32 hex digits, the time, and no events; a chain cannot be a dictionary's key."""
    chain = Chain("n", description="d", metadata={"a": 1})
    assert len(chain.id) == 32
    assert chain.created_at == chain.updated_at
    assert (len(chain), chain.events, chain.description, chain.metadata) == (0, (), "d", {"a": 1})
    with pytest.raises(TypeError):
        hash(chain)


def test_order(family: Chain) -> None:
    """Events keep the order of adding, in every way of reading them."""
    assert names(list(family)) == ["root", "a", "b", "aa", "lone"] == names(list(family.events))
    assert (family[0].id, family[-1].id, len(family)) == ("root", "lone", 5)
    assert names(family.since(3)) == ["aa", "lone"]
    assert repr(family) == f"Chain('family', id='{family.id}', events=5)"


def test_family(family: Chain) -> None:
    """Children, parents, roots and leaves follow `parent_id`."""
    assert names(family.children("root")) == ["a", "b"]
    assert family.children("lone") == []
    assert family.parent("aa") == family.get("a")
    assert family.parent("root") is None
    assert names(family.roots()) == ["root", "lone"]
    assert names(family.leaves()) == ["b", "aa", "lone"]
    assert family.get("nobody") is None


def test_unknown_id_is_an_error(family: Chain) -> None:
    """Asking for the family of an event that is not there is a mistake, not an empty answer."""
    for ask in (family.children, family.parent):
        with pytest.raises(KeyError, match="event nobody is not in the chain"):
            ask("nobody")


def test_missing_parent_reads_as_none() -> None:
    """An event whose parent is missing has none, and is no root; `validate_relationships` tells them apart."""
    chain = Chain("c")
    chain.add(event("orphan", parent_id="gone"))
    assert chain.parent("orphan") is None
    assert chain.roots() == []
    assert [problem.kind for problem in chain.validate_relationships()] == ["missing_parent"]


def test_groups(family: Chain) -> None:
    """Events are found by type, stage and experiment, in chain order; a word that nothing carries finds nothing."""
    assert names(family.by_type("decision_made")) == ["a", "b"]
    assert names(family.by_stage("s1")) == ["root", "a"]
    assert names(family.by_experiment("x")) == ["root", "aa"]
    assert family.by_type("zzz") == family.by_stage("zzz") == family.by_experiment("zzz") == []


def test_by_type_knows_aliases() -> None:
    """Events are found by their type whichever spelling they carry, in chain order."""
    data = {"timestamp": "2026-01-01T00:00:00Z", "decision": "D", "reasoning": "R"}
    kinds = ["stage_start", "stage_started", "loss_computed", "stage_start"]
    events = [{**data, "id": str(place), "type": kind} for place, kind in enumerate(kinds)]
    chain = Chain.from_dict({"name": "c", "events": events})
    for spelling in ("stage_started", "stage_start"):
        assert names(chain.by_type(spelling)) == ["0", "1", "3"]
    assert chain[0].type == "stage_start"


def test_duplicate_ids_are_refused(family: Chain) -> None:
    """An id that is taken cannot be added, and the chain stays as it was."""
    with pytest.raises(SpecError, match="event a is already in the chain") as caught:
        family.add(event("a"))
    assert caught.value.code == "duplicate_id"
    assert len(family) == 5


def test_add_returns_the_event() -> None:
    """`add` hands back what it added, so that its id can be used at once."""
    chain = Chain("c")
    root = chain.add(Event.new("stage_started", "D", "R"))
    chain.add(Event.new("stage_completed", "D", "R", parent_id=root.id))
    assert len(chain.children(root.id)) == 1


def test_updated_at_follows_the_latest_event(family: Chain) -> None:
    """Adding a later event moves `updated_at`; an earlier one does not move it back."""
    assert family.updated_at == START + timedelta(seconds=4)
    family.add(event("early", after_s=1))
    assert family.updated_at == START + timedelta(seconds=4)


def test_decision_points(family: Chain) -> None:
    """Decision points are what chose between alternatives, and what its type calls a decision."""
    assert names(family.decision_points()) == ["a", "b", "aa"]


def test_low_confidence(family: Chain) -> None:
    """Low means strictly below; an event that states no confidence is not low."""
    assert names(family.low_confidence()) == ["a"]
    assert names(family.low_confidence(0.71)) == ["a", "b"]


def test_equality(family: Chain) -> None:
    """Chains are equal when all they hold is."""
    same = Chain.from_dict(family.to_dict())
    assert same == family
    same.metadata["a"] = 1
    assert same != family
    assert family != "family"


def test_pickle(family: Chain) -> None:
    """A chain travels between processes, indexes included."""
    copy = pickle.loads(pickle.dumps(family))
    assert copy == family
    assert names(copy.children("root")) == ["a", "b"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_of_the_predecessor(path: Path, tmp_path: Path) -> None:
    """Every file that the predecessor's versions wrote loads, and writing it again loses and changes nothing."""
    written = json.loads(path.read_text())
    chain = Chain.load(path)
    again = json.loads(chain.save(tmp_path / "again.json").read_text())
    for entry in written["events"]:
        # keys that 0.2 did not have
        entry.update({"parent_id": None, "depends_on": [], "stage_id": None, "experiment_id": None, **entry})
    assert again["events"] == written["events"]
    for key in ("id", "name", "description", "metadata", "created_at", "updated_at"):
        assert again[key] == written[key]
    assert (
        again["statistics"].items()
        >= {
            "total_events": len(written["events"]),
            "duration_seconds": written["statistics"].get("duration_seconds", 0),
            "event_type_counts": chain.statistics().event_type_counts,
        }.items()
    )
    assert again["statistics"]["avg_confidence"] == pytest.approx(
        written["statistics"].get("avg_confidence", chain.statistics().avg_confidence)
    )
    assert chain.validate_relationships() == []
    assert all(entry.validate() == [] for entry in chain)


def test_legacy_event() -> None:
    """A file of 0.2 loads as its library read it: confidence 1 is 1.0, no parent, no dependencies, no stage."""
    chain = Chain.load(DATA / "v0.2_legacy.json")
    entry = chain[0]
    assert (entry.confidence, entry.parent_id, entry.depends_on) == (1.0, None, ())
    assert (entry.stage_id, entry.experiment_id, entry.spec_reference) == (None, None, "S 1")


def test_statistics_are_not_trusted() -> None:
    """The statistics of a file are computed anew."""
    data = json.loads((DATA / "v0.2_legacy.json").read_text())
    data["statistics"] = {"total_events": 99}
    assert Chain.from_dict(data).statistics().total_events == 1


def test_unknown_keys_come_back() -> None:
    """Keys that no version knows are written back."""
    data = json.loads((DATA / "v0.2_legacy.json").read_text())
    data["colour"] = "red"
    data["events"][0]["weight"] = 3
    again = Chain.from_dict(data).to_dict()
    assert again["colour"] == "red"
    assert again["events"][0]["weight"] == 3


def test_repeated_ids_load() -> None:
    """A file with a repeated id loads, so that it can be looked at; links mean the first bearer."""
    data = json.loads((DATA / "v0.2_legacy.json").read_text())
    data["events"] = [{**data["events"][0], "decision": word} for word in ("first", "second")]
    chain = Chain.from_dict(data)
    assert len(chain) == 2
    assert chain.get("e1") == chain[0]
    assert [problem.kind for problem in chain.validate_relationships()] == ["duplicate_id"]


def test_from_dict_without_times() -> None:
    """A chain whose own times are missing has those of its events."""
    chain = Chain.from_dict({"events": [event("b", after_s=2).to_dict(), event("a").to_dict()]})
    assert (chain.created_at, chain.updated_at) == (START, START + timedelta(seconds=2))
    assert (chain.name, len(chain.id)) == ("", 32)


def test_from_dict_reports_all() -> None:
    """Every problem of a document is reported with its path."""
    bad = {"name": "c", "created_at": "then", "metadata": 1, "events": [event("a").to_dict(), 7, {"type": "x"}]}
    with pytest.raises(SpecErrors) as caught:
        Chain.from_dict(bad)
    assert {error.path for error in caught.value.errors} == {
        "created_at",
        "metadata",
        "events[1]",
        "events[1].timestamp",
        "events[1].type",
        "events[2].timestamp",
    }


@pytest.mark.parametrize("data", [{}, {"events": {}}, {"events": None}])
def test_from_dict_needs_events(data: dict[str, object]) -> None:
    """What holds no list of events is no chain."""
    with pytest.raises(SpecErrors) as caught:
        Chain.from_dict(data)
    assert "events: expected a list" in str(caught.value)


def test_save_is_whole_or_not_at_all(tmp_path: Path, family: Chain) -> None:
    """A chain that cannot be written leaves the old file as it was, and nothing beside it."""
    path = family.save(tmp_path / "folder" / "chain.json")
    before = path.read_bytes()
    family.add(event("bad", metadata={"loss": float("nan")}))
    with pytest.raises(SpecError, match=r"chain\.events\[5\]\.metadata\.loss is nan"):
        family.save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["chain.json"]


def test_save_into_what_is_no_folder(tmp_path: Path, family: Chain) -> None:
    """A path that cannot be written is an error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/chain\.json cannot be written"):
        family.save(tmp_path / "file" / "chain.json")


def test_load_names_the_file(tmp_path: Path) -> None:
    """A file that is missing, is no JSON, or is no chain is an error that names it."""
    path = tmp_path / "chain.json"
    with pytest.raises(StoreError, match=r"chain\.json cannot be read \(No such file or directory\)"):
        Chain.load(path)
    for content in (b"{", b"\xff", b'"\\ud800', b"[" * 100_000, b""):
        path.write_bytes(content)
        with pytest.raises(SpecError, match=r"chain\.json is not JSON"):
            Chain.load(path)
    path.write_text("[]")
    with pytest.raises(SpecErrors, match=r"chain\.json is not a chain"):
        Chain.load(path)


def _linked() -> Chain:
    """Question a holds b and c; d rests on b, e on d; f is alone."""
    chain = Chain("linked", created_at=START)
    links: list[tuple[str, str | None, list[str]]] = [
        ("a", None, []),
        ("b", "a", []),
        ("c", "a", []),
        ("d", "c", ["b"]),
        ("e", None, ["d", "gone"]),
        ("f", None, []),
    ]
    for place, (name, parent, rests_on) in enumerate(links):
        moment = START + timedelta(seconds=10 - place)
        chain.add(
            Event.new("decision_made", name, "r", id=name, parent_id=parent, depends_on=rests_on, timestamp=moment)
        )
    return chain


def _ids(events: Iterable[Event]) -> str:
    return "".join(event.id for event in events)


def test_ancestors_and_descendants() -> None:
    """What encloses an event comes nearest first, what is inside it parents first."""
    chain = _linked()
    assert _ids(chain.ancestors("d")) == "ca"
    assert _ids(chain.descendants("a")) == "bcd"
    assert chain.ancestors("a") == chain.descendants("f") == []
    with pytest.raises(KeyError, match="not in the chain"):
        chain.ancestors("nobody")


def test_what_a_decision_rests_on() -> None:
    """The closure goes through other events, past missing ones, and through parents only where that is wanted."""
    chain = _linked()
    assert _ids(chain.rests_on("e")) == "db"
    assert _ids(chain.rests_on("e", with_parents=True)) == "dbca"
    assert _ids(chain.rest_on_it("b")) == "de"
    chain.add(Event.new("decision_made", "g", "r", id="g", depends_on=["b", "b"]))
    assert _ids(chain.rest_on_it("b")) == "dge"


def test_cycles_end() -> None:
    """Events that rest on each other in a circle, or enclose each other, are each named once."""
    chain = Chain("circle")
    for name, other in (("a", "b"), ("b", "c"), ("c", "a")):
        chain.add(Event.new("decision_made", name, "r", id=name, parent_id=other, depends_on=[other, name]))
    assert _ids(chain.ancestors("a")) == "bc"
    assert _ids(chain.descendants("a")) == "cb"
    assert _ids(chain.rests_on("a")) == "bc"
    assert _ids(chain.rest_on_it("a")) == "cb"


def test_filter_and_sort() -> None:
    """A filtered or sorted chain is a new one with the same identity; the first is left as it was."""
    chain = _linked()
    kept = chain.filter(lambda event: event.parent_id is not None)
    assert _ids(kept) == "bcd"
    assert kept.id == chain.id
    assert kept.updated_at == chain.updated_at
    assert _ids(chain.sorted()) == "fedcba"
    assert _ids(chain.sorted(descending=True)) == _ids(chain) == "abcdef"
    assert _ids(chain.between(START + timedelta(seconds=6), START + timedelta(seconds=8))) == "cde"


def test_confidence_history() -> None:
    """Stated confidences come by time, whatever the order of the chain; silence is left out."""
    chain = Chain("sure?")
    for seconds, kind, confidence in ((3, "decision_made", 0.9), (1, "stage_start", 0.5), (2, "decision_made", None)):
        moment = START + timedelta(seconds=seconds)
        chain.add(Event.new(kind, "d", "r", confidence=confidence, timestamp=moment))
    assert [stated for _, stated in chain.confidence_history()] == [0.5, 0.9]
    assert chain.confidence_history(type="stage_started") == [(START + timedelta(seconds=1), 0.5)]


def test_reading_while_it_grows() -> None:
    """Readers in other threads neither break nor lose a link while one thread appends."""
    chain = Chain("busy")
    chain.add(Event.new("decision_made", "root", "r", id="root"))
    failures: list[BaseException] = []
    is_done = threading.Event()
    # A thread that is still starting cannot be switched away from while coverage sets its trace function.
    are_reading = threading.Barrier(4, timeout=60)

    def read() -> None:
        are_reading.wait()
        try:
            while not is_done.is_set():
                chain.rest_on_it("root")
                chain.decision_points()
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    switch = sys.getswitchinterval()
    for reader in readers:
        reader.start()
    are_reading.wait()
    try:
        sys.setswitchinterval(1e-6)
        for place in range(2_000):
            chain.add(Event.new(f"type_{place % 300}", "d", "r", depends_on=["root"]))
    finally:
        is_done.set()
        sys.setswitchinterval(switch)
        for reader in readers:
            reader.join()
    assert failures == []
    assert len(chain.rest_on_it("root")) == 2_000


def test_a_naive_time_is_refused_whole() -> None:
    """An event that was made by hand with a naive time is refused, and nothing of it stays in the chain."""
    chain = Chain("naive")
    with pytest.raises(TypeError):
        chain.add(Event(id="n", timestamp=datetime(2026, 1, 1), type="t", decision="d", reasoning="r"))
    assert len(chain) == 0
    assert chain.get("n") is None

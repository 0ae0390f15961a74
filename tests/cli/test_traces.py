"""`crucible trace …`: finding, reading, comparing and checking chains, as a user types it."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crucible.store import open_store
from crucible.trace import Chain, Event, LiveChain, Signer, TraceStore, to_tags

START = datetime(2026, 1, 1, tzinfo=UTC)


def rates(word: str = "cosine", sure: float = 0.8) -> Chain:
    """Return a chain of three events about a learning rate."""
    chain = Chain("learning rates", created_at=START)
    first = Event.new("hypothesis_formed", f"a {word} schedule helps", "it did last time", timestamp=START)
    chain.add(first)
    later = START + timedelta(seconds=90)
    chain.add(
        Event.new(
            "decision_made",
            f"use a {word} schedule",
            "the validation loss fell",
            confidence=sure,
            alternatives=["constant"],
            depends_on=[first.id],
            timestamp=later,
        )
    )
    chain.add(
        Event.new("epoch_completed", "Epoch 1 completed", "", metadata={"epoch": 1, "loss": 0.5}, timestamp=later)
    )
    return chain


@pytest.fixture
def kept(crucible: object) -> tuple[Chain, Chain]:
    """Two chains in the store of the working directory."""
    chains = (rates(), rates("linear", sure=0.4))
    with open_store(".crucible") as store:
        for chain in chains:
            TraceStore(store).save(chain)
    return chains


def test_list_and_show(crucible, kept) -> None:  # type: ignore[no-untyped-def]
    """Stored chains are listed, and shown by the beginning of their id."""
    first, second = kept
    assert {line.split()[0] for line in crucible("trace", "list").stdout.splitlines()[1:]} == {
        first.id[:12],
        second.id[:12],
    }
    listed = json.loads(crucible("trace", "list", "--json", "--name", "RATES", "--limit", "1").stdout)
    assert [(entry["name"], entry["event_count"]) for entry in listed] == [("learning rates", 3)]
    assert "no chain fits" in crucible("trace", "list", "--name", "nothing").stdout
    assert "rests on    a cosine schedule helps" in crucible("trace", "show", first.id[:12]).stdout
    assert Chain.from_dict(json.loads(crucible("trace", "show", first.id, "--json").stdout)) == first


def test_runs_are_chains(crucible) -> None:  # type: ignore[no-untyped-def]
    """A run's chain is found by the run's id, in the list, and by its words."""
    run = json.loads(crucible("run", "checked.yaml", "--json").stdout)
    listed = json.loads(crucible("trace", "list", "--run", run["run_id"], "--json").stdout)
    assert [entry["run_id"] for entry in listed] == [run["run_id"]]
    by_run, by_chain = (crucible("trace", "show", name).stdout for name in (run["run_id"], listed[0]["id"]))
    assert by_run == by_chain
    assert "Stage validate completed" in crucible("trace", "search", "validate completed").stdout


def test_search(crucible, kept) -> None:  # type: ignore[no-untyped-def]
    """Words, phrases and conditions find events in all chains; with --in, also parts of words and expressions."""
    first, _ = kept
    hits = json.loads(crucible("trace", "search", '"cosine schedule" -use', "--json").stdout)
    assert [(hit["chain_id"], hit["event"]["decision"]) for hit in hits] == [(first.id, "a cosine schedule helps")]
    assert hits[0]["highlights"]["decision"] == [[2, 17]]
    unsure = ("--where", '{"confidence": {"lt": 0.5}}')
    assert "use a linear schedule" in crucible("trace", "search", *unsure).stdout
    both = json.loads(crucible("trace", "search", "schedule", *unsure, "--json").stdout)
    assert [hit["event"]["confidence"] for hit in both] == [0.4]
    inside = crucible("trace", "search", "sched", "--in", first.id, "--where", '{"type": "decision_made"}').stdout
    assert "use a cosine schedule" in inside
    assert "helps" not in inside
    found = json.loads(crucible("trace", "search", "^use .* schedule$", "--regex", "--in", first.id, "--json").stdout)
    assert [event["type"] for event in found] == ["decision_made"]
    assert "nothing fits" in crucible("trace", "search", "unicorns").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to search for"),
        (("x", "--regex"), "name it with --in"),
        (("--where", "{"), "--where must be JSON"),
        (("--where", '{"confidnce": 1}'), 'did you mean "confidence"?'),
        (("(a", "--regex", "--in", "live.jsonl"), "the pattern"),
        (("x", "--in", "missing.json"), "missing.json"),
        (("x", "--in", "nobody"), "neither a run nor a chain"),
    ],
)
def test_search_refuses(crucible, kept, arguments: tuple[str, ...], words: str) -> None:  # type: ignore[no-untyped-def]
    """What cannot be searched for is said in one paragraph."""
    LiveChain("live.jsonl", name="live").close()
    code = 1 if "missing.json" in arguments else 2
    assert words in crucible("trace", "search", *arguments, code=code).stderr


def test_diff(crucible, kept, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Two chains are compared as text, as JSON and side by side."""
    ids = [chain.id for chain in kept]
    shown = crucible("trace", "diff", *ids, "--html", "diff.html").stdout
    assert "use a linear schedule" in shown
    assert "side by side: diff.html" in shown
    assert "cosine" in (tmp_path / "diff.html").read_text()
    found = json.loads(crucible("trace", "diff", *ids, "--json", "--by", "position").stdout)
    assert found["similarity"] < 1
    assert "did you mean" in crucible("trace", "diff", *ids, "--by", "contents", code=2).stderr


def test_verify(crucible, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A sealed file verifies; after a change the altered event is named and the exit code is 1."""
    chain, signer = rates(), Signer.generate()
    chain.seal(signer)
    chain.save("sealed.json")
    signer.public_key.save("key.pub")
    assert (
        "all 3 events are as they were sealed" in crucible("trace", "verify", "sealed.json", "--key", "key.pub").stdout
    )
    (tmp_path / "sealed.json").write_text((tmp_path / "sealed.json").read_text().replace("last time", "every time"))
    done = crucible("trace", "verify", "sealed.json", "--json", code=1)
    finding = json.loads(done.stdout)["findings"][0]
    assert (finding["fault"], finding["place"]) == ("altered", 0)
    assert "ledger" in crucible("trace", "verify", str(rates().save("plain.json")), code=1).stdout
    assert "missing.json" in crucible("trace", "verify", "missing.json", code=2).stderr
    assert "no.pub" in crucible("trace", "verify", "sealed.json", "--key", "no.pub", code=2).stderr


def test_live_files(crucible, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A live file is read like any chain; its torn last line is a warning."""
    with LiveChain("live.jsonl", name="live") as live:
        live.extend(rates())
    with (tmp_path / "live.jsonl").open("ab") as file:
        file.write(b'{"id": "torn')
    done = crucible("trace", "show", "live.jsonl")
    assert "3 events" in done.stdout
    assert done.stderr.startswith("warning: ")


@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        ("json", "{"),
        ("markdown", "# learning rates"),
        ("csv", "id,timestamp,type,decision"),
        ("tags", "<event"),
        ("html", "<!doctype html>"),
        ("otel", "["),
        ("flowchart", "---"),
        ("sequence", "sequencediagram"),
        ("timeline", "timeline"),
        ("graph", "---"),
    ],
)
def test_export(crucible, kind: str, begins: str) -> None:  # type: ignore[no-untyped-def]
    """Every format is printed, or written with --output, the same text."""
    rates().save("chain.json")
    printed = crucible("trace", "export", "chain.json", "--format", kind).stdout
    assert printed.lstrip().lower().startswith(begins.lower())
    assert crucible("trace", "export", "chain.json", "--format", kind, "-o", "out").stdout.strip() == "out"
    if kind not in ("html", "otel"):  # those hold the time of the export, or random ids
        assert Path("out").read_text() == printed
    if kind == "csv":
        assert len(list(csv.DictReader(io.StringIO(printed)))) == 3


def test_export_of_tables(crucible) -> None:  # type: ignore[no-untyped-def]
    """The epochs go into a file; a format that does not exist is refused with the nearest."""
    rates().save("chain.json")
    for suffix in ("csv", "jsonl", "parquet"):
        crucible("trace", "export", "chain.json", "--format", f"table-{suffix}", "-o", f"table.{suffix}")
    assert json.loads(Path("table.jsonl").read_text())["loss"] == 0.5
    assert "--output" in crucible("trace", "export", "chain.json", "--format", "table-csv", code=2).stderr
    assert 'did you mean "csv"?' in crucible("trace", "export", "chain.json", "--format", "cvs", code=2).stderr


def test_view(crucible) -> None:  # type: ignore[no-untyped-def]
    """The page is written where it is wanted; a theme that does not exist is refused."""
    rates().save("chain.json")
    assert crucible("trace", "view", "chain.json", "-o", "page.html").stdout.strip() == "page.html"
    assert "learning rates" in Path("page.html").read_text()
    assert json.loads(crucible("trace", "view", "chain.json", "-o", "p.html", "--json").stdout) == {"path": "p.html"}
    said = json.loads(crucible("trace", "export", "chain.json", "--format", "tags", "--json").stdout)
    assert said["format"] == "tags"
    assert said["text"].startswith("<event")
    written = crucible("trace", "export", "chain.json", "--format", "csv", "-o", "c.csv", "--json").stdout
    assert json.loads(written) == {"path": "c.csv"}
    assert "theme" in crucible("trace", "view", "chain.json", "-o", "x.html", "--theme", "blue", code=2).stderr


def test_parse(crucible) -> None:  # type: ignore[no-untyped-def]
    """A model's answer becomes a chain, its code a file; what was not understood is a warning with its place."""
    answer = f"Sure!\n{to_tags(rates())}\n<event type='hypothesis_formed'>\n<decision>Torn"
    Path("answer.txt").write_text(f"{answer}\n<code>print(1)</code>")
    done = crucible("trace", "parse", "answer.txt", "-o", "chain.json", "--code", "code.py", "--save")
    assert "a cosine schedule helps" in done.stdout
    assert "line " in done.stderr
    assert Path("code.py").read_text().strip() == "print(1)"
    chain = Chain.load("chain.json")
    assert (chain.name, len(chain)) == ("answer", 4)
    assert chain.id[:12] in crucible("trace", "list").stdout
    assert "0 events" in crucible("trace", "parse", "checked.yaml", code=1).stdout
    assert "cannot be read" in crucible("trace", "parse", "missing.txt", code=1).stderr


def test_sealed_runs(crucible, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A sealed and signed run verifies from the store and from its file; an event that is changed there is named."""
    signer = Signer.generate()
    signer.save("key.pem")
    signer.public_key.save("key.pub")
    run = json.loads(crucible("run", "checked.yaml", "--sign-with", "key.pem", "--json").stdout)
    said = crucible("trace", "verify", run["run_id"], "--key", "key.pub").stdout
    assert "are as they were sealed" in said
    assert "signed with" in said
    assert "not closed" not in said
    assert "sealed" in crucible("trace", "verify", f"{run['workspace']}/trace.json", "--key", "key.pub").stdout
    with sqlite3.connect(".crucible/crucible.db") as database:
        database.execute("UPDATE trace_events SET reasoning = 'nobody asked' WHERE decision = 'Stage validate started'")
    done = crucible("trace", "verify", run["run_id"], code=1)
    assert "Stage validate started" in done.stdout
    assert "altered" in done.stdout
    assert "cannot be read" in crucible("run", "checked.yaml", "--sign-with", "no.pem", code=1).stderr

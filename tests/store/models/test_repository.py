"""Versions in the database, SQLite and PostgreSQL: written whole or not at all, whoever else writes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect

from crucible.errors import SpecError, StoreError
from crucible.store import Store, open_store
from crucible.store.models import (
    ModelParent,
    ModelScores,
    NewModelVersion,
    StoredModelVersion,
    Transition,
    tree_sha256,
)
from crucible.store.schema import downgrade

Make = Callable[..., StoredModelVersion]
Move = Callable[..., tuple[StoredModelVersion, Any]]
on_both = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
"""Also in the fast suite on both kinds of database."""
EVERYTHING: dict[str, Any] = {
    "version": "1.0.0-rc.1+b5",
    "stage": "staging",
    "description": "“new”\0",
    "run_id": "run-1",
    "source_key": "run-1/tuned",
    "artifact_uri": "s3://bucket/x",
    "metrics": {"loss": 0.1, "acc": 1.0},
    "tags": ("b", "a"),
    "origin": {"base_model": "crucible/tiny", "data": {"synthetic": True}},
    "scores": (ModelScores("acc", {"i1": 1.0, "i2": None}, "d" * 64, is_share=False),),
    "why": "first",
}


@on_both
def test_a_version_comes_back_as_it_was(store: Store, make: Make, folder: Path) -> None:
    """Every field, its files, its scores and its line of the audit."""
    files = tuple(store.models.objects.keep(folder / name, name) for name in ("a.bin", "c.json", "deep/b.bin"))
    made = make(files=files, **EVERYTHING)
    assert made == store.models.find("triage@1.0.0-rc.1") == store.models.find("triage")
    assert (made.reference, made.stage, made.tags, made.scored) == (
        "triage@1.0.0-rc.1+b5",
        "staging",
        ("a", "b"),
        ("acc",),
    )
    assert (made.description, made.metrics, made.origin) == ("“new”\\x00", EVERYTHING["metrics"], EVERYTHING["origin"])
    assert made.is_synthetic
    assert made.tree_sha256 == tree_sha256(files)
    assert list(store.models.files(made)) == sorted(files, key=lambda file: file.path)
    assert store.models.problems(made) == {}
    scores = store.models.scores(made, "acc")
    assert scores is not None
    assert (scores.items, scores.asked_sha256, scores.is_share) == ({"i1": 1.0, "i2": None}, "d" * 64, False)
    assert store.models.scores(made, "loss") is None
    (line,) = store.models.changes("triage")
    assert (line.kind, line.by, line.why, line.to_stage) == ("registered", "ann", "first", "staging")
    assert [each.reference for each in store.models.list(run_id="run-1")] == [made.reference]


def test_versions_follow_each_other(store: Store, make: Make) -> None:
    """The next one above the highest, not the last; one that differs from another in its build alone is refused."""
    assert [make().version, make(bump="patch").version, make(version="3.0.0").version] == ["0.1.0", "0.1.1", "3.0.0"]
    assert make(version="2.0.0").version == "2.0.0"
    assert make(bump="prerelease").version == "3.0.1-rc.1"
    assert [each.version for each in store.models.list("triage")] == ["0.1.0", "0.1.1", "2.0.0", "3.0.0", "3.0.1-rc.1"]
    assert store.models.find("triage@latest").version == "3.0.1-rc.1"
    for version in ("3.0.0", "3.0.0+other"):
        with pytest.raises(StoreError, match="triage@3.0.0 is there already, .*; the next is 3.0.1, 3.1.0 or 4.0.0"):
            make(version=version)
    assert len(store.models.changes("triage")) == 5


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"model": "../x"}, "cannot name a model"),
    ({"version": "1.0"}, "is no semantic version"),
    ({"version": 1.0}, "1.0 is no semantic version"),
    ({"stage": "production"}, "begins in development or staging"),
    ({"stage": "live"}, "unknown stage 'live'"),
    ({"metrics": {"loss": float("nan")}}, "finite number"),
    ({"tags": ("a b",)}, "cannot be a tag"),
    ({"bump": "huge"}, 'unknown bump "huge"'),
    ({"run_id": "r" * 501}, "the run 'r*'… has 501 characters; 500 at most"),
    ({"source_key": "s" * 5_000}, "the source 's*'… has 5000 characters; 500 at most"),
    ({"parents": (ModelParent("born_of", "triage", "1.0.0"),)}, "unknown relation 'born_of'"),  # type: ignore[arg-type]
    ({"scores": (ModelScores("acc", {"i": float("inf")}),)}, "item 'i'"),
    ({"scores": (ModelScores("acc", {}),)}, "are of no item"),
    ({"scores": (ModelScores("acc", {"": 1.0}),)}, "without an id"),
)


def test_what_cannot_be_registered(store: Store, make: Make) -> None:
    """It is refused in one sentence, and nothing of it is written."""
    for values, said in REFUSED:
        with pytest.raises(SpecError, match=said):
            make(**values)
    assert store.models.list() == []
    assert store.models.changes("triage") == []


def test_a_version_is_named_with_its_build_or_without(store: Store, make: Make) -> None:
    """`1.0.0` means the one that is there, `1.0.0+b` only that build: another one is another text, with other files."""
    made = make(version="1.0.0+a")
    assert store.models.find("triage@1.0.0") == store.models.find("triage@1.0.0+a") == made
    with pytest.raises(StoreError, match=r"triage has no version 1.0.0\+b; its latest are 1.0.0\+a"):
        store.models.find("triage@1.0.0+b")


def test_the_longest_version_has_no_next_one(store: Store, make: Make) -> None:
    """A number that could not be read again is not given; the model stays readable, and takes another version."""
    make(version="9" * 124 + ".0.0")
    with pytest.raises(SpecError, match="is longer than 128 characters; give the next version"):
        make(bump="major")
    assert len(store.models.list()) == 1
    assert make(bump="patch").version.endswith(".0.1")


def test_files_come_by_path_in_every_database(store: Store, make: Make, folder: Path) -> None:
    """Capitals first, as the digest of the tree has them, whatever order the database sorts letters in."""
    files = tuple(store.models.objects.keep(folder / "a.bin", path) for path in ("b", "a/x", "a.x", "B", "ä"))
    assert [file.path for file in store.models.files(make(files=files))] == ["B", "a.x", "a/x", "b", "ä"]


def test_unknown_names_say_what_there_is(store: Store, make: Make) -> None:
    """The models, the versions, what is in a stage; and a parent that is not there keeps its child out."""
    with pytest.raises(StoreError, match='there is no model "triage"; registered are none'):
        store.models.find("triage")
    first = make()
    with pytest.raises(StoreError, match='there is no model "triag"; registered are triage'):
        store.models.find("triag@1.0.0")
    with pytest.raises(StoreError, match=r"triage has no version 9.0.0; its latest are 0.1.0"):
        store.models.find("triage@9.0.0")
    with pytest.raises(StoreError, match="no version of triage is in production"):
        store.models.find("triage@production")
    with pytest.raises(SpecError, match="is no semantic version"):
        store.models.find("triage@newest")
    with pytest.raises(StoreError, match="has no version 7.0.0"):
        make(parents=(ModelParent("fine_tuned_from", "triage", "7.0.0"),))
    assert store.models.list() == [first]
    with pytest.raises(StoreError, match="no files of triage@0.1.0 are kept here; it was registered without any"):
        store.models.files(first)


def test_a_source_makes_one_version(store: Store, make: Make, folder: Path) -> None:
    """Registered once more by a run that was killed, it is the same version; with other files it is refused."""
    file = store.models.objects.keep(folder / "a.bin", "a.bin")
    first = make(source_key="run-1/tuned", files=(file,))
    assert make(source_key="run-1/tuned", files=(file,), description="again") == first
    with pytest.raises(StoreError, match="was registered from the same source"):
        make(source_key="run-1/tuned")
    assert make(model="other", source_key="run-1/tuned").version == "0.1.0"
    assert len(store.models.changes("triage")) == 1


def test_lineage_has_no_circle(store: Store, make: Make) -> None:
    """Ancestors and descendants by distance; a line that would close a circle is refused and the circle named."""
    a = make(version="1.0.0")
    b = make(version="2.0.0", parents=(ModelParent("fine_tuned_from", "triage", "latest"),))
    c = make(version="3.0.0", parents=(ModelParent("distilled_from", "triage", "2.0.0"),))
    d = make(
        model="merged",
        parents=(ModelParent("merged_from", "triage", "3.0.0"), ModelParent("merged_from", "triage", "1.0.0")),
    )
    up = store.models.lineage(d, "up")
    assert [(step.version, step.depth) for step in up] == [("1.0.0", 1), ("3.0.0", 1), ("2.0.0", 2)]
    assert [step.relation for step in store.models.lineage(c, "up")] == ["distilled_from", "fine_tuned_from"]
    assert [f"{step.model}@{step.version}" for step in store.models.lineage(a, "down")] == [
        "triage@2.0.0",
        "merged@0.1.0",
        "triage@3.0.0",
    ]
    way = (
        "triage@1.0.0 rl_trained_from triage@3.0.0 distilled_from triage@2.0.0 fine_tuned_from triage@1.0.0; leave out"
    )
    with pytest.raises(StoreError, match=way):
        store.models.link(a, ModelParent("rl_trained_from", "triage", "3.0.0"), by="ann")
    with pytest.raises(StoreError, match="triage@1.0.0 merged_from itself"):
        store.models.link(a, ModelParent("merged_from", "triage", "1.0.0"), by="ann")
    lines = len(store.models.edges())
    linked = store.models.link(c, ModelParent("merged_from", "triage", "1.0.0"), by="ann")
    assert len(linked.parents) == 2
    assert store.models.link(c, ModelParent("merged_from", "triage", "1.0.0"), by="ann") == linked
    assert len(store.models.edges()) == lines + 1
    with pytest.raises(StoreError, match="triage@2.0.0 is not removed: triage@3.0.0 came of it"):
        store.models.remove(b, by="ann", why="old")


def test_measuring_and_tagging_merge(store: Store, make: Make) -> None:
    """New numbers are added, known ones replaced with what they were in the audit; the others stay."""
    version = make(metrics={"loss": 1.0, "acc": 0.5}, tags=("a",))
    version = store.models.update_metrics(version, {"acc": 0.75, "f1": 0.25}, by="bob", why="again")
    assert version.metrics == {"loss": 1.0, "acc": 0.75, "f1": 0.25}
    line = store.models.changes("triage")[-1]
    assert (line.kind, line.by, line.evidence["before"]) == ("metrics", "bob", {"acc": 0.5})
    with pytest.raises(SpecError, match="finite number"):
        store.models.update_metrics(version, {"acc": float("nan")}, by="bob")
    assert store.models.tag(version, add=["b", "a"], remove=["a", "absent"], by="bob").tags == ("a", "b")
    version = store.models.record_scores(version, ModelScores("f1", {"i": 0.5}), by="bob")
    version = store.models.record_scores(version, ModelScores("f1", {"i": 1.0, "j": 0.0}), by="bob")
    assert version.scored == ("f1",)
    scores = store.models.scores(version, "f1")
    assert scores is not None
    assert scores.items == {"i": 1.0, "j": 0.0}


def test_removing_keeps_the_audit_and_what_others_need(store: Store, make: Make, move: Move, folder: Path) -> None:
    """Shared files stay until the last version that has them is gone; what is in production is not removed."""
    shared, own = (store.models.objects.keep(folder / name, name) for name in ("a.bin", "c.json"))
    first, second = make(files=(shared,), stage="staging"), make(files=(shared, own))
    move(first, "production")
    with pytest.raises(StoreError, match="is in production, so it is not removed"):
        store.models.remove(first, by="ann", why="x")
    assert store.models.gc(grace_s=-1) == ([], 0)
    with pytest.raises(SpecError, match="say why a version is removed"):
        store.models.remove(second, by="ann", why=" ")
    store.models.remove(second, by="ann", why="a mistake")
    assert [each.version for each in store.models.list()] == ["0.1.0"]
    assert store.models.gc(grace_s=-1) == ([own.sha256], 2)
    assert store.models.gc() == ([], 0), "young files stay"
    assert store.models.gc(grace_s=-1, dry_run=False) == ([own.sha256], 2)
    assert store.models.problems(first) == {}
    assert [line.kind for line in store.models.changes("triage", "0.2.0")] == ["registered", "removed"]


# --- stages ---


def test_steps_between_stages(make: Make, move: Move) -> None:
    """Development, staging, production, archived: each step that is allowed, and every other one refused."""
    version = make()
    with pytest.raises(StoreError, match="it may go to staging or archived, not to production; promote it to"):
        move(version, "production")
    with pytest.raises(StoreError, match="is in development already"):
        move(version, "development")
    for stage in ("staging", "development", "staging", "production", "staging", "archived", "development", "archived"):
        version, _ = move(version, stage)
        assert version.stage == stage
    with pytest.raises(StoreError, match="crucible models rollback triage"):
        move(version, "production")


def test_one_version_is_in_production(store: Store, make: Make, move: Move) -> None:
    """The old one is archived in the same transaction, with a line of its own; or it stays where that is asked for."""
    first, second, third = (make(stage="staging") for _ in range(3))
    assert move(first, "production")[1] == []
    assert move(second, "production", forced=True, evidence={"x": 1})[1] == ["0.1.0"]
    assert [each.version for each in store.models.production("triage")] == ["0.2.0"]
    archived, promoted = store.models.changes("triage")[-2:]
    assert (archived.version, archived.kind, archived.why) == ("0.1.0", "archived", "replaced by triage@0.2.0: tried")
    assert (promoted.version, promoted.forced, promoted.evidence) == (
        "0.2.0",
        True,
        {"x": 1, "replaced": ["0.1.0"], "beside": []},
    )
    assert move(third, "production", keep_current=True)[1] == []
    assert [each.version for each in store.models.production("triage")] == ["0.2.0", "0.3.0"]
    assert store.models.find("triage@production").version == "0.3.0"


def test_what_was_decided_on_another_state_is_not_done(store: Store, opened: Callable[[], Store], make: Make) -> None:
    """Two promotions decided on the same state: the second finds another version there, and decides again."""
    first, second = make(stage="staging"), make(stage="staging")
    other = opened()
    seen: dict[str, Any] = {"to": "production", "seen_stage": "staging", "seen_production": (), "by": "x", "why": "y"}
    store.models.move(Transition(model="triage", version=first.version, **seen))
    late = Transition(model="triage", version=second.version, **seen)
    with pytest.raises(StoreError, match=r"\(nothing\), and that is 0.1.0 now: somebody else promoted meanwhile"):
        other.models.move(late)
    again = Transition(model="triage", version=first.version, **seen)
    with pytest.raises(StoreError, match="was in staging when this was decided and is in production now"):
        other.models.move(again)
    assert [each.version for each in other.models.production("triage")] == ["0.1.0"]
    refused = other.models.refuse(late)
    assert (refused.kind, refused.from_stage, refused.to_stage) == ("refused", "staging", "production")


# --- two processes, and one that dies ---

RACE = """
import sys
from crucible.errors import StoreError
from crucible.store import open_store
from crucible.store.models import NewModelVersion, Transition
with open_store(sys.argv[1]) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(2):
        made = store.models.register(NewModelVersion(model="triage", stage="staging", by=sys.argv[2]))
        seen = tuple(each.version for each in store.models.production("triage"))
        try:
            store.models.move(Transition(model="triage", version=made.version, to="production", by=sys.argv[2],
                                         why="race", seen_stage="staging", seen_production=seen))
        except StoreError as error:
            assert "somebody else promoted meanwhile" in str(error), error
"""


def test_two_processes_at_once(url: str, store: Store, tmp_path: Path) -> None:
    """Both register and promote as fast as they can: every number once, one version in production, a true audit."""
    command = [sys.executable, "-c", RACE, url]
    pair = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, text=True)
        for name in ("ann", "bob")
    ]
    for process in pair:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in pair:
        process.communicate("go\n", timeout=60)
        assert process.returncode == 0
    found = store.models.list("triage")
    assert [each.version for each in found] == [f"0.{number}.0" for number in range(1, 5)]
    stages = [each.stage for each in found]
    changes = store.models.changes("triage")
    promoted = [line.version for line in changes if line.kind == "promoted"]
    archived = [line.version for line in changes if line.kind == "archived"]
    assert stages.count("production") == 1
    assert promoted == [*archived, found[stages.index("production")].version]
    assert {each.created_by for each in found} == {"ann", "bob"}


DIE = """
import os, signal, sys
from pathlib import Path
from crucible.store import open_store
from crucible.store.models import NewModelVersion
from crucible.store.models.rows import ModelRows
def die(*_a, **_k):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[3] == "row":
    ModelRows.note = die
else:
    ModelRows.add = die
with open_store(sys.argv[1]) as store:
    file = store.models.objects.keep(Path(sys.argv[2]), "a.bin")
    store.models.register(NewModelVersion(model="triage", files=(file,)))
"""


@pytest.mark.slow  # a process of its own each
@pytest.mark.parametrize("when", ["file", "row"])
def test_a_process_that_dies_leaves_a_file_and_no_row(
    url: str, store: Store, make: Make, folder: Path, tmp_path: Path, when: str
) -> None:
    """Killed between file and row, or between row and commit: no version, nothing torn, and the next try works."""
    command = [sys.executable, "-c", DIE, url, str(folder / "a.bin"), when]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert store.models.list() == []
    assert store.models.changes("triage") == []
    names, size_bytes = store.models.gc(grace_s=-1)
    assert (len(names), size_bytes) == (1, 7)
    made = make(files=(store.models.objects.keep(folder / "a.bin", "a.bin"),))
    assert store.models.problems(made) == {}
    assert store.models.gc(grace_s=-1) == ([], 0)


def test_a_file_that_was_collected_meanwhile_is_noticed(store: Store, make: Make, folder: Path) -> None:
    """A version is never written without its files: it is said to register it again."""
    file = store.models.objects.keep(folder / "a.bin", "a.bin")
    store.models.gc(grace_s=-1, dry_run=False)
    with pytest.raises(StoreError, match="the content of a.bin is not kept here any more; register it again"):
        make(files=(file,))
    assert store.models.list() == []


def test_stores_that_share_a_folder_leave_each_others_files(store: Store, make: Make, folder: Path) -> None:
    """A store of a server, one in memory and that of the working directory collect only what is their own."""
    made = make(files=(store.models.objects.keep(folder / "a.bin", "a.bin"),))
    for place in (None, ":memory:"):
        with open_store(place) as other:
            other.models.objects.keep(folder / "c.json", "c.json")
            assert other.models.gc(grace_s=-1, dry_run=False)[1] == 2
    assert store.models.problems(made) == {}


def test_the_fifth_version_leaves_the_fourth_as_it_was(store: Store, opened: Callable[[], Store], make: Make) -> None:
    """Going back drops the tables of models and nothing else; coming again, the registry is empty."""
    make(tags=("a",))
    with store.database.writing("go down") as connection:
        downgrade(connection, "0004")
        names = set(inspect(connection).get_table_names())
    assert "telemetry_segments" in names
    assert not [name for name in names if name.startswith("model_")]
    again = opened()
    assert again.models.list() == []
    assert again.models.register(NewModelVersion(model="triage")).version == "0.1.0"

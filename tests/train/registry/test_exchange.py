"""Models as JSON: a round trip, conflicts refused or merged, and files that a stranger made up."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import SpecError, StoreError
from crucible.train import ModelRegistry


@pytest.fixture
def filled(registry: ModelRegistry, checkpoint: Callable[..., Path]) -> ModelRegistry:
    """Two models, one in production, with files, lineage, scores and an audit."""
    registry.register("base", checkpoint("one"), version="1.0.0", stage="staging", tags=["a"], metrics={"acc": 0.5})
    registry.promote("base", why="first")
    parents = {"fine_tuned_from": "base@1.0.0"}
    registry.register("triage", checkpoint("two", b"others"), parents=parents, scores={"acc": {"i": 1.0}})
    return registry


@pytest.fixture
def other(tmp_path: Path) -> Any:
    """An empty registry in another store."""
    with ModelRegistry.open(tmp_path / "other") as opened:
        yield opened


def test_there_and_back(filled: ModelRegistry, other: ModelRegistry, tmp_path: Path) -> None:
    """With files, everything is as it was: versions, stages, lineage, scores, audit, contents; twice does nothing."""
    path = filled.export(tmp_path / "out", with_files=True)
    assert path == tmp_path / "out" / "models.json"
    made = other.import_models(tmp_path / "out", by="ann")
    assert list(made) == list(filled.list()) == list(other.list())
    assert all(other.verify(each.reference) == {} for each in made)
    assert other.store.models.edges() == filled.store.models.edges()
    assert other.store.models.scores(other.get("triage"), "acc") == filled.store.models.scores(
        filled.get("triage"), "acc"
    )
    for name in ("base", "triage"):
        before, after = filled.history(name), other.history(name)
        assert list(after[:-1]) == list(before)
        assert (after[-1].kind, after[-1].by, after[-1].why) == ("imported", "ann", "imported from out")
    assert other.import_models(tmp_path / "out") == []
    assert other.import_models(tmp_path / "out", merge=True) == []
    assert json.loads(path.read_text())["format"] == "crucible-models/1"


def test_without_files_they_are_missing_by_name(filled: ModelRegistry, other: ModelRegistry, tmp_path: Path) -> None:
    """The rows come; what is not here is said where it is asked for, and comes with a later import."""
    other.import_models(filled.export(tmp_path / "m.json", ["base"]))
    assert [each.reference for each in other.list()] == ["base@1.0.0"]
    assert "is missing, the content of state.json" in other.verify("base")["state.json"]
    filled.export(tmp_path / "out", ["base"], with_files=True)
    assert other.import_models(tmp_path / "out") == []
    assert other.verify("base") == {}
    with pytest.raises(StoreError, match='there is no model "nope"; registered are'):
        filled.export(tmp_path / "x.json", ["nope"])
    with pytest.raises(StoreError, match="is a folder; name a file"):
        filled.export(tmp_path)
    with pytest.raises(StoreError, match="holds something other than exported models"):
        filled.export(tmp_path, with_files=True)


def test_conflicts_are_refused_or_merged(filled: ModelRegistry, other: ModelRegistry, tmp_path: Path) -> None:
    """What differs is named and nothing is written; merged, what is here stays and what is missing is added."""
    path = filled.export(tmp_path / "m.json")
    other.import_models(path)
    other.tag("base", ["mine"])
    other.update_metrics("base", {"acc": 0.75})
    filled.update_metrics("base", {"bleu": 0.25})
    filled.record_scores("base", {"bleu": {"i": 0.25}})
    path = filled.export(tmp_path / "m2.json")
    before = list(other.list())
    with pytest.raises(StoreError, match=r"base@1.0.0 is known here and differs .* in metrics, tags, scored; merge to"):
        other.import_models(path)
    assert list(other.list()) == before
    assert other.import_models(path, merge=True) == []
    told = other.history("base")[-2:]
    assert [(line.kind, line.why) for line in told] == [
        (kind, "imported from m2.json") for kind in ("metrics", "scores")
    ]
    assert told[0].evidence == {"metrics": {"bleu": 0.25}, "before": {}}
    merged = other.get("base")
    assert (merged.metrics, merged.tags, merged.scored) == (
        {"validation_loss": 0.5, "acc": 0.75, "bleu": 0.25}, ("a", "mine"), ("bleu",),
    )  # fmt: skip


def test_production_stays_what_it_is_here(filled: ModelRegistry, other: ModelRegistry, tmp_path: Path) -> None:
    """Another version in production there is refused, or begins in staging; other files of a version never come."""
    path = filled.export(tmp_path / "m.json", ["base"])
    other.register("base", version="2.0.0", stage="staging")
    other.promote("base", why="ours")
    with pytest.raises(StoreError, match="base@1.0.0 is in production there and base@2.0.0 is here; merge to take it"):
        other.import_models(path)
    (made,) = other.import_models(path, merge=True)
    assert (made.version, made.stage) == ("1.0.0", "staging")
    other.register("triage")
    with pytest.raises(StoreError, match="triage@0.1.0 has other files there than here"):
        other.import_models(filled.export(tmp_path / "m2.json"), merge=True)


def test_two_in_production_come_as_two(registry: ModelRegistry, other: ModelRegistry, tmp_path: Path) -> None:
    """What was left beside the other one there is so here, too."""
    for _ in range(2):
        made = registry.register("triage", stage="staging")
        registry.promote(made.reference, why="x", keep_current=True)
    other.import_models(registry.export(tmp_path / "m.json"))
    assert [each.version for each in other.list(stage="production")] == ["0.1.0", "0.2.0"]


def test_a_version_of_the_same_number_or_source_is_another_one(
    registry: ModelRegistry, other: ModelRegistry, tmp_path: Path
) -> None:
    """Another build, or another number of the same source, is refused in words, and lineage is not written twice."""
    registry.register("base")
    registry.register("triage", version="1.0.0+a", source_key="run-1", parents={"fine_tuned_from": "base"})
    path = registry.export(tmp_path / "m.json")
    other.register("triage", version="1.0.0+b")
    with pytest.raises(
        StoreError, match=r"1.0.0\+a and triage@1.0.0\+b, which is here, differ in build metadata alone"
    ):
        other.import_models(path, merge=True)
    other.remove("triage", why="x")
    other.register("triage", version="2.0.0", source_key="run-1")
    with pytest.raises(StoreError, match=r"is of the same source \(run-1\) as triage@2.0.0, and a source makes one"):
        other.import_models(path)
    assert other.list("base") == []


def test_lineage_that_is_added_is_in_the_audit(registry: ModelRegistry, other: ModelRegistry, tmp_path: Path) -> None:
    """A line of descent that comes with a merge is written down as one that was added by hand."""
    registry.register("base")
    registry.register("triage")
    other.import_models(registry.export(tmp_path / "m.json"))
    registry.link("triage", "merged_from", "base")
    other.import_models(registry.export(tmp_path / "m2.json"), merge=True, by="ann")
    line = other.history("triage")[-1]
    assert (line.kind, line.by, line.evidence["model"]) == ("linked", "ann", "base")


def test_what_json_does_not_know_is_carried(registry: ModelRegistry, other: ModelRegistry, tmp_path: Path) -> None:
    """NaN in what a training said of itself: the file stays JSON in every reader, and it comes back as it was."""
    registry.register("m", origin={"loss": math.nan, "mine": {"$float": "NaN"}})
    path = registry.export(tmp_path / "m.json")
    assert json.loads(path.read_text(), parse_constant=pytest.fail)["format"] == "crucible-models/1"
    (made,) = other.import_models(path)
    assert math.isnan(made.origin["loss"])
    assert made.origin["mine"] == {"$float": "NaN"}


def _change(data: dict[str, Any], path: str, value: Any) -> None:
    *way, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    here: Any = data
    for part in way:
        here = here[part]
    here[last] = value


HOSTILE: tuple[tuple[str, Any, str], ...] = (
    ("format", "crucible-models/2", "says format 'crucible-models/2'"),
    ("versions", 7, "holds no models"),
    ("versions.0.version.model", "../../etc", "cannot name a model"),
    ("versions.0.version.version", "1.0", "is no semantic version"),
    ("versions.0.version.stage", "live", "holds no models"),
    ("versions.0.version.tags", ["a b"], "cannot be a tag"),
    ("versions.0.version.metrics", {"loss": "NaN"}, "holds no models"),
    ("versions.0.files.0.path", "../../x", "cannot be a file of a model"),
    ("versions.0.files.0.path", "/etc/passwd", "cannot be a file of a model"),
    ("versions.0.files.0.sha256", "../../../etc/passwd", "is no SHA-256"),
    ("versions.0.files.0.sha256", "0" * 64, "is not that of the files it lists"),
    ("versions.0.files.0.size_bytes", -1, "has -1 bytes"),
    ("versions.0.files.0.size_bytes", 2**70, "bytes; expected 0 to"),
    ("versions.1.version.parents.0.model", "nowhere", 'there is no model "nowhere"'),
    ("versions.1.version.parents.0.relation", "knows", "holds no models"),
    ("changes.0.model", "a/b", "cannot name a model"),
    ("changes.0.kind", "invented", "holds no models"),
    ("changes.0.version", "1", "is no semantic version"),
    ("changes.0.at", "\x1b[2J", "is no moment; expected ISO 8601"),
    ("changes.0.to_stage", "a stage of many letters", "unknown stage"),
    ("versions.0.version.created_at", "yesterday", "is no moment"),
    ("versions.0.version.created_at", "2026-01-01", "is no moment; expected ISO 8601 with a time zone"),
    ("versions.1.scores.0.recorded_at", "x", "is no moment"),
    ("versions.0.version.run_id", "r" * 501, "has 501 characters"),
)


def test_hostile_files_are_refused_whole(filled: ModelRegistry, other: ModelRegistry, tmp_path: Path) -> None:
    """Whatever is wrong is named, and not one row of it is written."""
    source = filled.export(tmp_path / "m.json")
    good = source.read_text()
    for path, value, said in HOSTILE:
        data = json.loads(good)
        _change(data, path, value)
        source.write_text(json.dumps(data))
        with pytest.raises((SpecError, StoreError), match=said):
            other.import_models(source)
        assert other.list() == [], path
        assert other.history("base") == [], path
    source.write_text(good)
    assert len(other.import_models(source)) == 2


def test_a_circle_in_a_file(filled: ModelRegistry, other: ModelRegistry, tmp_path: Path) -> None:
    """Lineage that goes round in circles is refused, with the way round."""
    source = filled.export(tmp_path / "m.json")
    data = json.loads(source.read_text())
    parent = {"relation": "merged_from", "model": "triage", "version": "0.1.0"}
    data["versions"][0]["version"]["parents"] = [parent]
    source.write_text(json.dumps(data))
    way = "triage@0.1.0 fine_tuned_from base@1.0.0 merged_from triage@0.1.0"
    with pytest.raises(StoreError, match=f"a version cannot come of itself: {way}"):
        other.import_models(source)
    assert other.list() == []


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"format": NaN}', "[" * 100_000, "\xff"])
def test_what_is_no_export(registry: ModelRegistry, tmp_path: Path, content: str) -> None:
    """Not JSON, other JSON, nested without end, not even text: said in a sentence."""
    (tmp_path / "m.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(SpecError, match=r"m.json (says format|holds no models)"):
        registry.import_models(tmp_path / "m.json")
    with pytest.raises(StoreError, match="absent cannot be read"):
        registry.import_models(tmp_path / "absent")


def test_carried_files_are_held_against_their_digests(
    filled: ModelRegistry, other: ModelRegistry, tmp_path: Path
) -> None:
    """One that is missing, altered or a link stops the import before a row is written."""
    filled.export(tmp_path / "out", with_files=True)
    (first, *_) = sorted((tmp_path / "out" / "objects").iterdir())
    content = first.read_bytes()
    first.write_bytes(content + b"x")
    with pytest.raises(StoreError, match="is corrupt, the content of"):
        other.import_models(tmp_path / "out")
    first.unlink()
    with pytest.raises(StoreError, match="is missing, the content of"):
        other.import_models(tmp_path / "out")
    first.symlink_to("/etc/passwd")
    with pytest.raises(StoreError, match="it is a link"):
        other.import_models(tmp_path / "out")
    assert other.list() == []

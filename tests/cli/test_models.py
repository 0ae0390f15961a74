"""`crucible models`: registered, listed, shown, promoted past gates, followed, carried and verified."""

from __future__ import annotations

import io
import itertools
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from crucible.cli.models_views import print_lineage
from crucible.store.models import LineageStep, StoredModelVersion
from crucible.train import ModelRegistry

Crucible = Callable[..., subprocess.CompletedProcess[str]]


def score_file(folder: Path, right: int) -> str:
    """Write scores of 60 items of which so many are right, as `evaluate` does, and return the file's name."""
    lines = [
        json.dumps(
            {"id": f"i{place}", "input": f"q{place}", "scores": {"exact_match": {"kind": "scored", "value": value}}}
        )
        for place in range(60)
        for value in [float(place < right)]
    ]
    (folder / f"{right}.jsonl").write_text("\n".join(lines))
    return f"{right}.jsonl"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store: a model in production, one that is as good in staging, and one that came of both."""
    place = tmp_path_factory.mktemp("models")
    folder = place / "adapter"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"w")
    (folder / "training.json").write_text('{"base_model": "crucible/tiny", "data": {"synthetic": true}}')
    with ModelRegistry.open(place / ".crucible") as registry:
        for right, measured, more in ((48, 0.8, {"tags": ["fast"]}), (49, 0.82, {"parents": COMES_OF})):
            scores: Any = {"scores": place / score_file(place, right), "score_metrics": ["exact_match"]}
            measures = {"exact_match": measured}
            registry.register("triage", folder, stage="staging", metrics=measures, by="ann", **scores, **more)
            if right == 48:
                registry.promote("triage", why="the first", by="ann")
        registry.register("merged", folder, parents={"merged_from": ["triage@0.1.0", "triage"]})
    return place


COMES_OF = {"fine_tuned_from": "triage@0.1.0"}


@pytest.fixture
def kept(crucible: Crucible, made: Path, tmp_path: Path) -> Path:
    """A copy of it, where commands are carried out."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_register_and_promote(crucible: Crucible, tmp_path: Path) -> None:
    """A folder with all that may be said of it, and the way to production without a gate, which is said."""
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "weights.bin").write_bytes(b"w")
    scores = ("--scores", score_file(tmp_path, 48), "--score-metric", "exact_match")
    said = ("--stage", "staging", "--metric", "exact_match=0.8", "--tag", "fast", "--why", "first", "--by", "ann")
    done = crucible("models", "register", "triage", "adapter", *said, *scores).stdout
    assert done == "registered triage@0.1.0 in staging\n"
    told = crucible("models", "promote", "triage", "--why", "x", "--dry-run", "--to", "live", code=2).stderr
    assert "unknown stage 'live'" in told
    told = crucible("models", "promote", "triage", "--why", "x", "--dry-run", "--to", "staging", code=1).stderr
    assert "triage@0.1.0 is in staging already" in told, "a dry run says what the promotion would"
    done = crucible("models", "promote", "triage", "--why", "the first", "--by", "ann").stdout
    assert done == "triage@0.1.0: staging → production, no gate was asked for\n"
    parent = ("--from", "fine_tuned_from=triage@0.1.0", "--bump", "patch", "--json")
    made = json.loads(crucible("models", "register", "triage", "adapter", *parent).stdout)
    assert (made["reference"], made["parents"][0]["version"]) == ("triage@0.1.1", "0.1.0")
    with ModelRegistry.open(tmp_path / ".crucible") as registry:
        first = registry.get("triage@0.1.0")
        assert (first.metrics, first.tags, first.scored) == ({"exact_match": 0.8}, ("fast",), ("exact_match",))
        assert [line.why for line in registry.history("triage", "0.1.0")] == ["first", "the first"]


def test_a_line_of_thousands() -> None:
    """Lineage as deep as no training makes it, which an import may bring, is printed to its end, nearest first."""
    console = Console(file=io.StringIO(), width=80)
    places = [("m", f"{number}.0.0") for number in range(1200, 0, -1)]
    up = [
        LineageStep(*there, "fine_tuned_from", here, depth)
        for depth, (here, there) in enumerate(itertools.pairwise(places), start=1)
    ]
    first = StoredModelVersion(model="m", version="1200.0.0", stage="development", created_at="", created_by="ann")
    print_lineage(console, first, up, [], {"m@1.0.0": "tiny"})
    lines = [line.strip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert lines[:3] == ["m@1200.0.0  development", "came of", "fine_tuned_from m@1199.0.0"]
    assert lines[-4:] == ["fine_tuned_from m@1.0.0", "base model tiny", "came of it", "nothing yet"]


def test_list(crucible: Crucible, kept: Path) -> None:
    """One line a version; by stage, tag, condition and metric; all of it as JSON."""
    lines = crucible("models", "list").stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["merged@0.1.0", "development"],
        ["triage@0.1.0", "production"],
        ["triage@0.2.0", "staging"],
    ]
    assert "exact_match 0.8" in lines[2]
    assert "synthetic" in lines[2]
    found = json.loads(crucible("models", "list", "--sort", "exact_match", "--top", "2", "--json").stdout)
    assert [each["reference"] for each in found] == ["triage@0.2.0", "triage@0.1.0"]
    assert {"metrics", "tags", "parents", "origin", "stage", "tree_sha256"} <= set(found[0])
    assert "triage@0.1.0" in crucible("models", "list", "triage", "--tag", "fast").stdout
    assert crucible("models", "list", "--where", "exact_match>0.9").stdout == "no such versions\n"
    assert crucible("models", "list", "--stage", "archived", "--json").stdout == "[]\n"
    assert "--direction says which side of --sort" in crucible("models", "list", "--direction", "min", code=2).stderr
    assert "unknown stage 'live'" in crucible("models", "list", "--stage", "live", code=2).stderr
    assert "does not follow from its name" in crucible("models", "list", "--sort", "x", code=2).stderr
    assert "there is no store at nowhere" in crucible("models", "list", "--store", "nowhere", code=2).stderr


def test_show_a_model_and_a_version(crucible: Crucible, kept: Path) -> None:
    """A model with what is in production, a version with its files, and the audit of either; unknown ones are named."""
    shown = crucible("models", "show", "triage").stdout
    assert "triage  in production: 0.1.0; 2 versions" in shown
    assert "promoted staging → production" in shown
    shown = crucible("models", "show", "triage@production").stdout
    for part in ("triage@0.1.0", "crucible/tiny", "synthetic", "training.json, weights.bin (61 bytes)", "by ann"):
        assert part in shown
    data = json.loads(crucible("models", "show", "triage@0.2.0", "--json").stdout)
    assert [file["path"] for file in data["files"]] == ["training.json", "weights.bin"]
    assert data["parents"] == [{"relation": "fine_tuned_from", "model": "triage", "version": "0.1.0"}]
    assert [line["kind"] for line in json.loads(crucible("models", "show", "triage", "--json").stdout)["changes"]] == [
        "registered",
        "promoted",
        "registered",
    ]
    assert 'there is no model "triag"; registered are triage' in crucible("models", "show", "triag", code=2).stderr
    assert "has no version 9.0.0; its latest are" in crucible("models", "show", "triage@9.0.0", code=2).stderr
    assert "cannot name a model" in crucible("models", "show", "../x", code=2).stderr


def test_promote_past_gates(crucible: Crucible, kept: Path) -> None:
    """Refused with exit code 1 and what was measured and wanted; a dry run changes nothing; forced says so."""
    gates = ("--gate", "exact_match>=0.9", "--no-worse", "exact_match:0.1")
    refused = crucible("models", "promote", "triage@0.2.0", "--why", "as good", *gates, code=1)
    assert "triage@0.2.0 was not promoted to production: exact_match is 0.82, wanted at least 0.9" in refused.stderr
    assert "exact_match (no worse)" in refused.stdout
    assert "passed" in refused.stdout
    data = json.loads(crucible("models", "promote", "triage@0.2.0", "--why", "x", *gates, "--json", code=1).stdout)
    assert (data["promoted"], [gate["outcome"] for gate in data["gates"]]) == (False, ["failed", "passed"])
    dry = crucible("models", "promote", "triage@0.2.0", "--why", "x", "--dry-run", *gates, code=1).stdout
    assert "triage@0.2.0 does not pass its gates" in dry
    assert "passes its gates" in crucible("models", "promote", "triage", "--why", "x", "--dry-run", *gates[2:]).stdout
    forced = crucible("models", "promote", "triage", "--why", "now", "--force", *gates).stdout
    assert forced.endswith("triage@0.2.0: staging → production, FORCED past its gates; archived 0.1.0\n")
    history = crucible("models", "history", "triage", COLUMNS="200").stdout
    assert "promoted staging → production (forced)" in history
    assert history.count("refused staging → production") == 2
    assert crucible("models", "rollback", "triage", "--why", "broke").stdout == (
        "triage@0.1.0: back in production; archived 0.2.0\n"
    )
    assert "none to go back to" in crucible("models", "rollback", "triage", "--why", "x", code=1).stderr


@pytest.mark.slow  # eight commands
def test_bad_input_of_promote(crucible: Crucible, kept: Path) -> None:
    """Each mistake in one sentence, exit code 2; a step that is not allowed is 1."""
    for arguments, said in (
        (("--no-worse", "exact_match"), "--no-worse must be METRIC:MARGIN"),
        (("--no-worse", "oddity:0.1"), "does not follow from its name"),
        (("--no-worse", "exact_match:0"), "margin must be a number above 0"),
        (("--gate", "exact_match<=0.5"), "asks for the worse side"),
        (("--to", "live"), "unknown stage 'live'"),
        (("--why", " "), "say why a version is promoted"),
    ):
        told = crucible("models", "promote", "triage@0.2.0", "--why", "x", *arguments, code=2).stderr
        assert said in told
        assert told.count("\n") == 1
    told = crucible("models", "promote", "merged", "--why", "x", code=1).stderr
    assert "promote it to staging first" in told
    crucible("models", "promote", "triage", code=2)


def test_lineage(crucible: Crucible, kept: Path) -> None:
    """What a version came of down to its base model, what came of it, as a tree and as data."""
    shown = [line.rstrip() for line in crucible("models", "lineage", "merged").stdout.splitlines()]
    assert shown == [
        "merged@0.1.0  development",
        "came of",
        "  merged_from triage@0.1.0",
        "    base model crucible/tiny",
        "  merged_from triage@0.2.0",
        "    base model crucible/tiny",
        "came of it",
        "  nothing yet",
    ]
    data = json.loads(crucible("models", "lineage", "triage@0.1.0", "--json").stdout)
    assert [(step["model"], step["version"]) for step in data["descendants"]] == [
        ("triage", "0.2.0"),
        ("merged", "0.1.0"),
    ]
    assert data["base_models"] == {"triage@0.1.0": "crucible/tiny"}


def test_measure_tag_verify_fetch(crucible: Crucible, kept: Path) -> None:
    """Measurements merge, tags come and go, damage is named with exit code 1, files come back."""
    said = crucible("models", "measure", "merged", "--metric", "loss=0.5", "--metric", "acc=1").stdout
    assert said == "merged@0.1.0: acc 1, loss 0.5; tags none\n"
    assert "a finite number" in crucible("models", "measure", "merged", "--metric", "loss=low", code=2).stderr
    assert "nothing to add" in crucible("models", "measure", "merged", code=2).stderr
    crucible("models", "measure", "merged", "--scores", "48.jsonl")
    assert crucible("models", "tag", "merged", "--add", "a", "--add", "b").stdout.endswith("tags a, b\n")
    assert crucible("models", "tag", "merged", "--remove", "a").stdout.endswith("tags b\n")
    assert "nothing to do" in crucible("models", "tag", "merged", code=2).stderr
    assert crucible("models", "verify").stdout.count("whole") == 3
    assert crucible("models", "fetch", "merged", "--into", "out").stdout == "out\n"
    assert (kept / "out" / "weights.bin").read_bytes() == b"w"
    with ModelRegistry.open(kept / ".crucible") as registry:
        (file,) = [file for file in registry.files("merged") if file.path == "weights.bin"]
        registry.store.models.objects.path(file.sha256).write_bytes(b"x")
    shown = crucible("models", "verify", "triage", code=1).stdout
    assert "triage@0.2.0  damaged" in shown
    assert "the content of weights.bin" in shown
    found = json.loads(crucible("models", "verify", "--json", code=1).stdout)
    assert [each["whole"] for each in found] == [False, False, False]
    assert "is corrupt" in crucible("models", "fetch", "merged", "--into", "again", code=1).stderr


@pytest.mark.slow  # a dozen commands
def test_carry_remove_and_collect(crucible: Crucible, kept: Path) -> None:
    """Exported and imported into another store; removed where nothing came of it; files that nobody needs are named."""
    assert crucible("models", "export", "models.json").stdout == "models.json\n"
    assert crucible("models", "export", "all", "triage", "--files").stdout == "all/models.json\n"
    said = crucible("models", "import", "models.json", "--store", "other").stdout
    assert said == "took in merged@0.1.0, triage@0.1.0, triage@0.2.0\n"
    assert crucible("models", "import", "all", "--store", "other").stdout == "nothing new\n"
    crucible("models", "verify", "triage", "--store", "other")
    told = crucible("models", "import", "48.jsonl", "--store", "other", code=2).stderr
    assert "holds no models as `crucible models export` writes them" in told
    told = crucible("models", "remove", "triage@0.2.0", "--why", "x", code=1).stderr
    assert "merged@0.1.0 came of it" in told
    assert "removed merged@0.1.0" in crucible("models", "remove", "merged", "--why", "a try").stdout
    assert crucible("models", "gc").stdout == "nothing to remove\n"
    assert json.loads(crucible("models", "gc", "--yes", "--json").stdout) == {"removed": [], "size_bytes": 0}


def test_bad_input_of_register(crucible: Crucible, tmp_path: Path) -> None:
    """A folder or a run, not both and not neither; what cannot be read is said, and no store is made for a run."""
    assert "name either a folder to register, or a run" in crucible("models", "register", "triage", code=2).stderr
    assert "there is no folder nope" in crucible("models", "register", "triage", "nope", code=1).stderr
    told = crucible("models", "register", "triage", ".", "--from", "triage", code=2).stderr
    assert "--from must be RELATION=MODEL@VERSION" in told
    told = crucible("models", "register", "triage", ".", "--score-metric", "acc", code=2).stderr
    assert "give that with --scores" in told
    told = crucible("models", "register", "triage", "--run", "x", "--store", "none", code=1).stderr
    assert "there is no store at none" in told
    assert crucible("models", "list").stdout == "no models are registered\n"
    told = crucible("models", "history", "triage", code=2).stderr
    assert "nothing was ever done to triage" in told


def test_names_of_others_are_printed_safely(crucible: Crucible, tmp_path: Path) -> None:
    """What an import or a training brought is shown without control characters."""
    with ModelRegistry.open(tmp_path / ".crucible") as registry:
        registry.register("m", origin={"base_model": "\x1b[31mred\x1b[0m"}, description="a\nb\x1b[2J", by="\x07me")
    for command in (("show", "m@0.1.0"), ("lineage", "m"), ("history", "m")):
        assert "\x1b" not in crucible("models", *command).stdout
        assert "\x07" not in crucible("models", *command).stdout

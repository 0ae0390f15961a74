"""`crucible runs`: finding runs, what happened when, the files, and removing what is old."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Crucible = Callable[..., subprocess.CompletedProcess[str]]

REPORTED = """
id: reported
backend: {id: local}
tags: [nightly]
pipeline: [{name: validate}, {name: data_checks}, {name: report}]
"""


@pytest.fixture
def two_runs(crucible: Crucible, tmp_path: Path) -> tuple[str, str]:
    """Ids of a run of `checked.yaml` and a later one of `reported.yaml`."""
    (tmp_path / "reported.yaml").write_text(REPORTED)
    crucible("run", "checked.yaml")
    crucible("run", "reported.yaml")
    second, first = (run["run_id"] for run in json.loads(crucible("runs", "list", "--json").stdout))
    return first, second


def ids(crucible: Crucible, *arguments: str) -> list[str]:
    """Ids of the listed runs."""
    return [run["run_id"] for run in json.loads(crucible("runs", "list", "--json", *arguments).stdout)]


def test_runs_are_found_by_what_is_known_of_them(crucible: Crucible, two_runs: tuple[str, str]) -> None:
    """Experiment, tag, status, age and metrics each narrow the list; the order can be turned around."""
    first, second = two_runs
    assert ids(crucible, "--experiment", "checked") == [first]
    assert ids(crucible, "--tag", "nightly") == [second]
    assert ids(crucible, "--status", "failed") == []
    assert ids(crucible, "--status", "failed", "--status", "completed") == [second, first]
    assert ids(crucible, "--newer-than", "1h", "--ascending") == [first, second]
    assert ids(crucible, "--where", "data_checks.total>=0") == [second]
    text = crucible("runs", "list", "--where", "validation.status==passed").stdout
    assert "validation.status" in text
    assert "passed" in text
    assert "no run fits" in crucible("runs", "list", "--tag", "weekly").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--status", "complete"), 'did you mean "completed"?'),
        (("--newer-than", "yesterday"), "--newer-than must be a time such as 12h"),
        (("--newer-than", "999999999999w"), "longer than any clock counts"),
        (("--where", "score"), "a condition on a metric must be a path"),
    ],
)
def test_a_bad_condition_is_one_sentence(crucible: Crucible, arguments: tuple[str, ...], words: str) -> None:
    """What was expected is named, and nothing is listed."""
    crucible("run", "checked.yaml")
    assert words in crucible("runs", "list", *arguments, code=2).stderr


def test_the_timeline_tells_what_happened_when(crucible: Crucible, two_runs: tuple[str, str]) -> None:
    """Every stage starts and ends in order between the start and the end of the run."""
    _, second = two_runs
    entries = json.loads(crucible("runs", "timeline", second, "--json").stdout)
    assert [entry["kind"] for entry in entries] == ["run_started", *["stage_started", "stage_ended"] * 3, "run_ended"]
    offsets = [entry["offset_ns"] for entry in entries]
    assert offsets == sorted(offsets)
    text = crucible("runs", "timeline", second[:-2], "--spans").stdout
    assert "[2] report ends" in text
    assert "█" in text


def test_the_files_of_a_run_are_listed(crucible: Crucible, two_runs: tuple[str, str]) -> None:
    """Each file has its maker, size and digest; a file that is not there is named with those that are."""
    first, second = two_runs
    assert "made no files" in crucible("runs", "files", first).stdout
    files = json.loads(crucible("runs", "files", second, "--json").stdout)
    assert {entry["stage"] for entry in files} == {"report"}
    text = crucible("runs", "files", second).stdout
    assert "[2] report" in text
    assert "report.html" in text
    assert "report.html" in crucible("runs", "files", second, "nothing", code=2).stderr


def test_gc_says_what_would_go_and_goes_on_with_yes(crucible: Crucible, two_runs: tuple[str, str]) -> None:
    """Without --yes nothing is removed; with it rows and files of all but the kept runs are gone."""
    first, second = two_runs
    assert "would be removed: 1 runs" in crucible("runs", "gc", "--keep-last", "1").stdout
    assert ids(crucible) == [second, first]
    assert "nothing to remove" in crucible("runs", "gc", "--older-than", "1d").stdout
    removed = json.loads(crucible("runs", "gc", "--keep-last", "1", "--yes", "--json").stdout)
    assert [run["run_id"] for run in removed["runs"]] == [first]
    assert ids(crucible) == [second]
    assert not Path(".crucible/artifacts", first).exists()


@pytest.mark.slow
def test_code_of_a_document_needs_permission(crucible: Crucible, tmp_path: Path) -> None:
    """A stage by import path is refused with what to type, runs where its package is allowed, and so is resumed."""
    (tmp_path / "mystages.py").write_text(
        "from pathlib import Path\n"
        "def hello(context, options):\n"
        "    if not Path('ready').exists():\n"
        "        raise ValueError('not ready')\n"
        "    return context.put_metric('hello', 'world')\n"
    )
    document = "id: own\nbackend: {id: local}\npipeline: [{name: hello, module: 'mystages:hello'}]\n"
    (tmp_path / "own.yaml").write_text(document)
    refused = crucible("run", "own.yaml", code=2, PYTHONPATH=str(tmp_path)).stderr
    assert "pipeline[0].module" in refused
    assert "--allow-import mystages" in refused
    crucible("validate", "own.yaml", "--allow-import", "mystages", PYTHONPATH=str(tmp_path))
    failed = crucible("run", "own.yaml", "--allow-import", "mystages", code=1, PYTHONPATH=str(tmp_path))
    assert "not ready" in failed.stderr
    (tmp_path / "ready").touch()
    (run_id,) = ids(crucible)
    command = failed.stderr.partition("go on with: ")[2].split()
    assert command == ["crucible", "resume", run_id, "--allow-import", "mystages"]
    crucible(*command[1:], PYTHONPATH=str(tmp_path))
    shown = json.loads(crucible("runs", "show", run_id, "--json").stdout)
    assert shown["metrics"] == {"hello": "world"}
    assert shown["provenance"]["command"] == "crucible run own.yaml --allow-import mystages"


def test_retries_and_branches_are_shown_as_they_happen(crucible: Crucible, tmp_path: Path) -> None:
    """A second attempt has its line, a stage that was passed over too, and the run is complete."""
    (tmp_path / "mystages.py").write_text(
        "from pathlib import Path\n"
        "def flaky(context, options):\n"
        "    if not Path('once').exists():\n"
        "        Path('once').touch()\n"
        "        raise OSError('try again')\n"
        "    return context\n"
        "def broken(context, options):\n"
        "    raise OSError('broken for good')\n"
    )
    (tmp_path / "own.yaml").write_text(
        "id: own\nbackend: {id: local}\npipeline:\n"
        "- {name: flaky, module: 'mystages:flaky', retry: {attempts: 2, wait_initial_s: 0.01}}\n"
        "- {name: broken, module: 'mystages:broken', needs: [flaky], on_error: continue}\n"
        "- {name: validate, needs: [flaky]}\n"
    )
    done = crucible("run", "own.yaml", "--allow-import", "mystages", PYTHONPATH=str(tmp_path))
    assert "↻ flaky again in" in done.stdout
    assert "✗ broken" in done.stdout
    assert "✓ validate" in done.stdout
    assert "went on without pipeline[1] broken (on_error: continue): OSError: broken for good" in done.stdout


def test_a_run_without_its_trace(crucible: Crucible) -> None:
    """--no-trace keeps everything but why things were done."""
    crucible("run", "checked.yaml", "--no-trace", "--store", "kept here", "--set", "owner=me", "--max-parallel", "3")
    (run_id,) = ids(crucible, "--store", "kept here")
    shown = json.loads(crucible("runs", "show", run_id, "--json", "--store", "kept here").stdout)
    command = "crucible run checked.yaml --set owner=me --no-trace --max-parallel 3 --store 'kept here'"
    assert shown["provenance"]["command"] == command
    crucible("run", "checked.yaml", "--no-trace")
    (run_id,) = ids(crucible)
    assert "left no trace" in crucible("trace", "show", run_id, code=2).stderr


def test_validate_warns_of_what_may_not_be_meant(crucible: Crucible, tmp_path: Path) -> None:
    """A value that looks like a key is warned of by its path and never shown; the document stays valid."""
    key = "sk-" + "ant-" + "a1B2c3D4" * 8
    (tmp_path / "leaky.yaml").write_text(
        f"id: l\nbackend: {{id: local}}\nmetadata: {{token: {key}}}\npipeline: [{{name: validate}}]\n"
    )
    done = crucible("validate", "leaky.yaml")
    assert "warning: metadata.token" in done.stderr
    assert key not in done.stdout + done.stderr
    found = json.loads(crucible("validate", "leaky.yaml", "--json").stdout)
    assert found["valid"] is True
    assert [warning["path"] for warning in found["warnings"]] == ["metadata.token"]


def test_validate_checks_any_type(crucible: Crucible, tmp_path: Path) -> None:
    """--type names what the file holds; what nothing in this version carries out is refused by name."""
    (tmp_path / "event.yaml").write_text("id: e1\nfeedback_type: rating\nfeedback_value: 4\n")
    assert "is valid: FeedbackEvent" in crucible("validate", "event.yaml", "--type", "FeedbackEvent").stdout
    (tmp_path / "deploy.yaml").write_text("id: d\nmodel_version_id: v1\nstrategy: canary\n")
    assert "nothing in this version" in crucible("validate", "deploy.yaml", "--type", "DeploymentConfig", code=2).stderr
    assert "did you mean" in crucible("validate", "event.yaml", "--type", "FeedbackEvnt", code=2).stderr

"""What a user types, what comes back, and with which exit code."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Crucible = Callable[..., subprocess.CompletedProcess[str]]


def only_run(crucible: Crucible) -> str:
    """The id of the one run in the store."""
    (run,) = json.loads(crucible("runs", "list", "--json").stdout)
    return run["run_id"]


def test_run_then_read_it_back(crucible: Crucible) -> None:
    """A run is listed, shown and traced afterwards, as tables and as JSON."""
    done = crucible("run", "checked.yaml")
    assert "✓ validate" in done.stdout
    assert ".crucible/artifacts/" in done.stdout
    run_id = only_run(crucible)
    assert run_id in crucible("runs", "list").stdout
    assert "completed" in crucible("runs", "show", run_id).stdout
    shown = json.loads(crucible("runs", "show", run_id, "--json").stdout)
    assert shown["metrics"]["validation"]["status"] == "passed"
    assert shown["stages"][0]["status"] == "ok"
    assert shown["provenance"]["command"] == "crucible run checked.yaml"
    assert "Stage validate" in crucible("trace", "show", run_id[:-2]).stdout
    chain = json.loads(crucible("trace", "show", run_id, "--json").stdout)
    assert chain["events"][0]["type"] == "stage_started"


def test_run_as_json_keeps_stdout_for_the_program(crucible: Crucible) -> None:
    """With --json, stdout is one JSON value and everything for people is on stderr."""
    done = crucible("run", "checked.yaml", "--json", "--set", "id=renamed")
    data = json.loads(done.stdout)
    assert data["status"] == "completed"
    assert data["stages"][0]["name"] == "validate"
    assert "renamed" in done.stderr


def test_diff_of_two_runs(crucible: Crucible) -> None:
    """Two runs differ by what was set differently, path by path."""
    crucible("run", "checked.yaml")
    crucible("run", "checked.yaml", "--set", "owner=me")
    second, first = (run["run_id"] for run in json.loads(crucible("runs", "list", "--json").stdout))
    compared = json.loads(crucible("runs", "diff", first, second, "--json").stdout)
    assert [(entry["path"], entry["b"]) for entry in compared["experiment"]] == [("owner", "me")]
    text = crucible("runs", "diff", first, second).stdout
    assert "owner" in text
    assert "Measured: no difference" in text
    assert "Stages: no difference" in text
    assert compared["stages"] == []
    assert [entry["path"] for entry in compared["durations"]] == ["[0].duration_ns"]
    assert "Took (never the same twice)" in text


def test_validate(crucible: Crucible) -> None:
    """A good document is valid; a bad one lists every problem, with exit code 2, also as JSON."""
    assert "is valid: checked, validate" in crucible("validate", "checked.yaml").stdout
    assert json.loads(crucible("validate", "checked.yaml", "--json").stdout)["valid"] is True
    bad = crucible("validate", "checked.yaml", "--set", "pipeline[0].options.strct=1", code=2)
    assert 'pipeline[0].options.strct: unknown key; did you mean "strict"?' in bad.stderr
    found = json.loads(crucible("validate", "checked.yaml", "--set", "idd=1", "--json", code=2).stdout)
    assert found["problems"] == [{"path": "idd", "code": "unknown_key", "message": 'unknown key; did you mean "id"?'}]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "none.yaml"), "none.yaml: 1 problem\n  no such file"),
        (("validate", "."), "is a folder"),
        (("schema", "Experimen"), 'did you mean "Experiment"?'),
        (("stages", "evalute"), 'did you mean "evaluate"?'),
        (("frobnicate",), "No such command"),
        (("run",), "Missing argument"),
        (("run", "checked.yaml", "--set", "nothing"), "expected --set path=value"),
    ],
)
def test_bad_input_is_one_paragraph_and_exit_code_2(crucible: Crucible, arguments: tuple[str, ...], words: str) -> None:
    """What the user got wrong is named, with what to do, and no traceback."""
    assert words in crucible(*arguments, code=2).stderr


def test_unknown_and_finished_runs(crucible: Crucible) -> None:
    """A run that is not there, and one that is complete, are bad input; no store at all says where it looked."""
    assert "there is no store at .crucible" in crucible("runs", "list", code=2).stderr
    crucible("run", "checked.yaml")
    assert "there is no run" in crucible("resume", "zzz", code=2).stderr
    assert "there is no run" in crucible("trace", "show", "zzz", code=2).stderr
    assert "nothing to go on with" in crucible("resume", only_run(crucible), code=2).stderr


def test_a_store_that_cannot_be_written(crucible: Crucible, tmp_path: Path) -> None:
    """A store below a file, or in a place that takes no files, is an error that names it; nothing is run."""
    (tmp_path / "plain").write_text("x")
    assert "plain" in crucible("run", "checked.yaml", "--store", "plain", code=1).stderr
    done = crucible("run", "checked.yaml", code=1, CRUCIBLE_STORE="/proc/no-store-here")
    assert "/proc/no-store-here" in done.stderr
    assert "CRUCIBLE_STORE" in done.stderr
    assert not (tmp_path / ".crucible").exists()


def test_debug_shows_the_traceback(crucible: Crucible) -> None:
    """--debug may stand anywhere and adds the traceback to the paragraph."""
    done = crucible("run", "none.yaml", "--debug", code=2, CRUCIBLE_DEBUG="1")
    assert "Traceback" in done.stderr
    assert "no such file" in done.stderr


def test_stages_schema_and_version(crucible: Crucible) -> None:
    """The installed stages, their options, the schemas and the version are there for people and programs."""
    listed = crucible("stages").stdout
    for name in ("validate", "data_load", "supervised_train", "evaluate", "bench", "report"):
        assert name in listed
    assert "rank" in crucible("stages", "supervised_train").stdout
    assert json.loads(crucible("stages", "bench", "--json").stdout)["required"] == []
    assert set(json.loads(crucible("stages", "--json").stdout)) >= {"validate", "train"}
    assert "properties" in json.loads(crucible("schema", "--json").stdout)
    assert "rank" in json.loads(crucible("schema", "LoraConfig").stdout)["properties"]
    assert crucible("version").stdout.startswith("crucible 0.1.0")
    assert json.loads(crucible("version", "--json").stdout)["crucible"] == "0.1.0"


def test_a_reader_that_goes_away_is_no_crash(crucible: Crucible, tmp_path: Path) -> None:
    """Piping into `head` ends quietly."""
    done = subprocess.run(
        ["bash", "-c", "crucible schema | head -n 1"], capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in done.stderr


STRANGE = """
import sys
from typing import Any, Callable
from crucible.pipeline import NoOptions, StageOptions, stage

class Own:
    Options = NoOptions
    def __init__(self, name, describe):
        self.name, self.describe = name, describe
    def run(self, context, options):
        return context

class Called(StageOptions):
    c: Callable[[int], int] | None = None

def broken():
    raise RuntimeError("no\\nhttps://errors.pydantic.dev/x")

raising = Own("raising", broken)
bare = Own("bare", lambda: {"name": "bare", "types": {"a": {"odd": 1}, "b": "string"}, "required": ["b"]})
listed = Own("listed", lambda: ["x"])
called = stage("called", options=Called)(lambda context, options: context)
leaving = stage("leaving")(lambda context, options: sys.exit(0))
"""


@pytest.fixture
def strangers(tmp_path: Path) -> str:
    """A folder for PYTHONPATH with an installed package of stages that describe themselves badly."""
    site = tmp_path / "site"
    (site / "strange-1.0.dist-info").mkdir(parents=True)
    (site / "strange.py").write_text(STRANGE)
    (site / "strange-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    names = ("raising", "bare", "listed", "called", "leaving")
    points = "".join(f"{name} = strange:{name}\n" for name in names)
    (site / "strange-1.0.dist-info" / "entry_points.txt").write_text(f"[crucible.stages]\n{points}")
    return str(site)


@pytest.mark.slow
def test_a_stage_that_cannot_be_described_hides_no_other(crucible: Crucible, strangers: str) -> None:
    """It is listed with what is wrong, in a line; alone it is an error, or shown as far as it says something."""
    listed = json.loads(crucible("stages", "--json", PYTHONPATH=strangers).stdout)
    assert listed["validate"]["description"].startswith("Check")
    assert "RuntimeError: no; see `describe`" in listed["raising"]["error"]
    assert "returned a list" in listed["listed"]["error"]
    assert "bare" in crucible("stages", PYTHONPATH=strangers).stdout
    assert "https://" not in json.dumps([listed[name] for name in ("raising", "called")])
    assert "cannot be described" in crucible("stages", "raising", code=1, PYTHONPATH=strangers).stderr
    bare = crucible("stages", "bare", PYTHONPATH=strangers).stdout
    assert "(it has no description)" in bare
    assert "required" in bare


def test_a_stage_that_exits_is_no_success(crucible: Crucible, strangers: str, tmp_path: Path) -> None:
    """Whatever code it chose, the run did not complete, so the command does not end with 0."""
    (tmp_path / "leaving.yaml").write_text("id: l\nbackend: {id: local}\npipeline: [{name: leaving}]\n")
    done = crucible("run", "leaving.yaml", code=1, PYTHONPATH=strangers)
    assert "Go on with: crucible resume" in done.stderr or "else go on with: crucible resume" in done.stderr
    assert json.loads(crucible("runs", "list", "--json").stdout)[0]["status"] != "completed"


def test_a_run_that_never_began_is_not_resumed(crucible: Crucible, tmp_path: Path) -> None:
    """Where its start could not be kept, no command is advised that could not find it."""
    crucible("run", "checked.yaml")
    artifacts = tmp_path / ".crucible" / "artifacts"
    for entry in artifacts.iterdir():
        for file in entry.iterdir():
            file.unlink()
        entry.rmdir()
    artifacts.rmdir()
    artifacts.write_text("in the way")
    done = crucible("run", "checked.yaml", code=1)
    assert "resume" not in done.stderr + done.stdout
    assert "runs show" not in done.stderr + done.stdout

"""The sink `file` keeps each format in a file of its own, inside the run's folder, and overwrites nothing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crucible.errors import ContractError, StoreError
from crucible.ir import Experiment
from crucible.pipeline import Context, parse_options
from crucible.report.stages import ReportStage

STAGE = ReportStage()


def run(context: Context, **options: Any) -> Context:
    """Run the stage with the options of a document."""
    return STAGE.run(context, parse_options(STAGE, options))


def output(path: str, *formats: str) -> dict[str, Any]:
    """Return outputs of a document with one that has a path."""
    return {"outputs": [{"name": "weekly", "formats": list(formats), "options": {"path": path}}]}


@pytest.mark.parametrize("path", ["out/numbers", "out/numbers.html", "out/./numbers.HTML"])
def test_each_format_has_a_file_of_its_own(tmp_path: Path, leave: SimpleNamespace, path: str) -> None:
    """One path serves several formats: the ending is that of the format, also where the document wrote one."""
    context = run(leave.start(tmp_path, **output(path, "html", "csv", "latex", "json", "markdown")))
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "numbers.csv", "numbers.html", "numbers.json", "numbers.md", "numbers.tex",
    ]  # fmt: skip
    assert context.artifacts["report.weekly.csv"].media_type == "text/csv"
    assert context.artifacts["report.weekly.latex"].media_type == "application/x-tex"
    assert [entry["path"] for entry in context.outputs][:2] == ["out/numbers.html", "out/numbers.csv"]


def test_a_dot_that_is_no_ending_stays(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Only endings of formats are taken off a path."""
    run(leave.start(tmp_path, **output("v1.2", "csv")))
    assert (tmp_path / "v1.2.csv").exists()


@pytest.mark.parametrize(
    ("path", "words"),
    [("/etc/x", "must stay in the run's folder"), ("../x", "must stay in the run's folder"),
     ("a/../../x", "must stay in the run's folder"), ("~/x", "must stay"), ("a\\x", "must stay"), ("C:x", "must stay"),
     ("a/", "no letter or digit"), (".", "no letter or digit"), ("a/---", "no letter or digit"), ("a\nb", "printable"),
     ("x" * 201, "200 bytes"), ("x.html", '"x.html" is a name for html, and this output is markdown'),
     ("", "empty")],
)  # fmt: skip
def test_paths_are_checked(tmp_path: Path, leave: SimpleNamespace, path: str, words: str) -> None:
    """A path that leaves the folder, names nothing, or lies about the format is refused before the run."""
    experiment: Experiment = leave.start(tmp_path, **output(path, "markdown")).experiment
    problems = STAGE.check(experiment, parse_options(STAGE, {}))
    assert [place for place, _ in problems] == ["outputs[0].options.path"]
    assert words in problems[0][1]


@pytest.mark.parametrize(
    ("path", "formats", "words"),
    [("trace", ["json"], "trace.json"), ("trace.json", ["json", "html"], "trace.json"),
     ("./Trace.JSON", ["json"], "trace.json"), ("trace.json/x", ["csv"], "trace.json/"),
     ("train/model/x", ["csv"], "train/"), ("Evaluate/base", ["json"], "evaluate/")],
)  # fmt: skip
def test_what_the_run_writes_itself_is_no_place(
    tmp_path: Path, leave: SimpleNamespace, path: str, formats: list[str], words: str
) -> None:
    """The trace would overwrite the report, and a report among the files of a stage would be in its way."""
    experiment: Experiment = leave.start(tmp_path, **output(path, *formats)).experiment
    problems = STAGE.check(experiment, parse_options(STAGE, {}))
    assert [place for place, _ in problems] == ["outputs[0].options.path"]
    assert f"leads to {words}, which the run itself writes" in problems[0][1]


@pytest.mark.parametrize("path", ["trace", "train", "out/trace", "out/train/x", "trace.json.old"])
def test_names_like_those_of_the_run_are_fine(tmp_path: Path, leave: SimpleNamespace, path: str) -> None:
    """Only the very places of the run are taken."""
    experiment: Experiment = leave.start(tmp_path, **output(path, "csv")).experiment
    assert STAGE.check(experiment, parse_options(STAGE, {})) == []


def test_a_link_out_of_the_folder(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A link inside the folder is no way out of it."""
    inside, outside = tmp_path / "run", tmp_path / "elsewhere"
    inside.mkdir()
    outside.mkdir()
    (inside / "out").symlink_to(outside)
    with pytest.raises(ContractError, match="leads out of the run's folder"):
        run(leave.start(inside, **output("out/x", "markdown")))
    assert list(outside.iterdir()) == []


def test_an_interrupted_attempt(tmp_path: Path, leave: SimpleNamespace) -> None:
    """What an attempt left that never came to its end is used again if it is the same, and kept if it is not."""
    context = leave.start(tmp_path, outputs=None)
    run(context, formats=["json"])
    again = run(context, formats=["json"])
    assert [entry["path"] for entry in again.outputs] == ["report/report.json"]
    later = run(context.put_metric("more", 1), formats=["json"])
    assert [entry["path"] for entry in later.outputs] == ["report/report-2.json"]
    assert json.loads((tmp_path / "report" / "report.json").read_text())["other"] == {}


def test_what_is_in_the_way_stays(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A folder, a link or another stage's file at the path is left alone; what cannot be read is an error."""
    (tmp_path / "x.csv").mkdir()
    (tmp_path / "x-2.csv").symlink_to(tmp_path / "gone")
    (tmp_path / "x-3.csv").write_text("mine")
    context = run(leave.start(tmp_path, **output("x", "csv")))
    assert context.outputs[0]["path"] == "x-4.csv"
    assert (tmp_path / "x-3.csv").read_text() == "mine"
    with pytest.raises(StoreError, match="cannot be"):
        run(leave.start(tmp_path, **output("x-3.csv/y", "csv")))

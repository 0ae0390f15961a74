"""The `report` stage writes one file a format, overwrites nothing, and refuses beforehand what it cannot do."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crucible.errors import SpecErrors, StoreError
from crucible.ir import ArtifactRef, Experiment
from crucible.pipeline import Context, parse_options
from crucible.report.stages import ReportStage

STAGE = ReportStage()


def run(context: Context, **options: Any) -> Context:
    """Run the stage with the options of a document."""
    return STAGE.run(context, parse_options(STAGE, options))


def problems(leave: SimpleNamespace, tmp_path: Path, options: dict[str, Any], **changes: Any) -> list[tuple[str, str]]:
    """Return what the stage refuses of a document."""
    experiment: Experiment = leave.start(tmp_path, **changes).experiment
    return STAGE.check(experiment, parse_options(STAGE, options))


def test_writes_the_outputs_of_the_experiment(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Each format of an output is a file with its digest, and is listed among the outputs."""
    context = run(leave.start(tmp_path))
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["report.html", "report.json", "report.md"]
    assert set(context.artifacts) == {"report.markdown", "report.html", "report.json"}
    html = context.artifacts["report.html"]
    assert html.media_type == "text/html"
    assert html.sha256 == hashlib.sha256((tmp_path / "report" / "report.html").read_bytes()).hexdigest()
    assert [output["path"] for output in context.outputs] == [
        "report/report.md",
        "report/report.html",
        "report/report.json",
    ]
    assert json.loads((tmp_path / "report" / "report.json").read_text())["experiment_id"] == "quickstart"


def test_defaults(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Without outputs and options, Markdown and HTML are written."""
    assert set(run(leave.start(tmp_path, outputs=None)).artifacts) == {"report.markdown", "report.html"}


def test_options_win_over_the_document(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A stage may name one output and other formats for it."""
    outputs = [{"name": "For the boss", "formats": ["html"]}, {"name": "log", "formats": ["json"]}]
    context = run(leave.start(tmp_path, outputs=outputs), name="For the boss", formats=["markdown", "markdown"])
    assert {name: ref.path for name, ref in context.artifacts.items()} == {
        "report.for-the-boss.markdown": "report/for-the-boss.md"
    }
    assert set(run(leave.start(tmp_path, outputs=None), name="mine", formats=["json"]).artifacts) == {
        "report.mine.json"
    }


def test_nothing_is_overwritten(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A second report of a run, and a file that another stage made, stand beside the first."""
    taken = ArtifactRef(path="report/report-2.json", sha256="", size_bytes=0)
    context = leave.start(tmp_path, outputs=None).put_artifact("elsewhere", taken)
    once = run(context, formats=["json"])
    twice = run(once.put_metric("more", 1), formats=["json"])
    assert [output["path"] for output in twice.outputs] == ["report/report.json", "report/report-3.json"]
    assert set(twice.artifacts) == {"elsewhere", "report.json", "report.report-3.json"}
    assert "more" not in (tmp_path / "report" / "report.json").read_text()


def test_standard_output(tmp_path: Path, leave: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    """The sink stdout prints under a heading and writes no file."""
    context = run(leave.start(tmp_path, outputs=None), sink="stdout", formats=["markdown"])
    assert capsys.readouterr().out.startswith("== report (markdown) ==\n# quickstart\n")
    assert not (tmp_path / "report").exists()
    assert context.outputs == ({"name": "report", "format": "markdown", "sink": "stdout"},)


def test_a_terminal_without_unicode(tmp_path: Path, leave: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a terminal cannot show is spelled out; the run does not fail over it."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    run(leave.start(tmp_path, outputs=None, description="größer"), sink="stdout", formats=["markdown"])
    assert b"gr\\xf6\\xdfer" in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_a_place_that_cannot_be_written(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A lost report is an error that names the file."""
    (tmp_path / "report").write_text("in the way")
    with pytest.raises(StoreError, match=r"report\.md"):
        run(leave.start(tmp_path))


@pytest.mark.parametrize(
    ("options", "path", "words"),
    [({"formats": ["pdf"]}, "options.formats[0]", "markdown, html, json, latex, csv"),
     ({"sink": "s4"}, "options.sink", "file, stdout, s3, database, postgres"),
     ({"formats": []}, "options.formats", "[]"), ({"samples": -1}, "options.samples", "-1"),
     ({"titel": "x"}, "options.titel", "unknown key")],
)  # fmt: skip
def test_options_are_checked(options: dict[str, Any], path: str, words: str) -> None:
    """Formats and sinks that do not exist are refused by name, and those that do are listed."""
    with pytest.raises(SpecErrors) as caught:
        parse_options(STAGE, options)
    assert any(error.path == path and words in error.message for error in caught.value.errors)


def test_values_of_sink_options_are_checked(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A value of the wrong type is refused with its path."""
    [(path, message)] = problems(leave, tmp_path, {}, outputs=[{"name": "c", "options": {"fragment": "yes"}}])
    assert path == "outputs[0].options.fragment"
    assert '"yes"' in message


def test_outputs_are_checked(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Every output that cannot be written is refused with its path in the document."""
    outputs = [
        {"name": "a", "formats": ["markdwn", "pdf"], "sink": "S3"},
        {"name": "A-", "formats": []},
        {"name": "b", "sink": "stdout", "options": {"path": "x"}},
        {"name": "c", "options": {"pth": "x"}},
        {"name": "d", "formats": ["html", "csv"], "options": {"fragment": True}},
    ]
    known = "expected one of markdown, html, json, latex, csv"
    sinks = "expected one of file, stdout, s3, database, postgres"
    assert problems(leave, tmp_path, {}, outputs=outputs) == [
        ("outputs[0].formats[0]", f'"markdwn" cannot be written; {known}; did you mean "markdown"?'),
        ("outputs[0].formats[1]", f'"pdf" cannot be written; {known}'),
        ("outputs[0].sink", f'"S3" is no place this version writes to; {sinks}; did you mean "s3"?'),
        ("outputs[1].formats", "is empty; expected one or more of markdown, html, json, latex, csv"),
        ("outputs[2].options.path", "unknown key (the sink stdout knows fragment)"),
        ("outputs[3].options.pth", 'unknown key; did you mean "path"? (the sink file knows fragment, path)'),
        ("outputs[4].options.fragment", "only latex has one, and this output is html, csv"),
    ]


def test_collisions_are_refused(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Two outputs of one sink that would meet in the same files are refused, whichever stage writes them."""
    outputs: list[dict[str, Any]] = [
        {"name": "a"},
        {"name": "A-", "formats": ["csv"]},
        {"name": "b", "options": {"path": "report/a.md"}},
        {"name": "a", "sink": "stdout"},
        {"name": "A", "sink": "stdout"},
        {"name": "a", "sink": "database"},
        {"name": "a", "sink": "database"},
    ]
    first = 'would be written to the files of outputs[0] "a"; rename one'
    expected = [
        ("outputs[1].name", f'"A-" {first}'),
        ("outputs[2].name", f'"b" {first}'),
        ("outputs[6].name", '"a" would be written to the files of outputs[5] "a"; rename one'),
    ]
    assert problems(leave, tmp_path, {}, outputs=outputs) == expected
    pipeline = [{"name": "report", "options": {"name": name}} for name in ("a", "A-", "b", "A")]
    assert problems(leave, tmp_path, {"name": "b"}, outputs=outputs, pipeline=pipeline) == expected
    two = [{"name": "a"}, {"name": "b"}]
    assert problems(leave, tmp_path, {"sink_options": {"path": "x"}}, outputs=two) == [
        ("outputs[1].name", '"b" would be written to the files of outputs[0] "a"; rename one')
    ]


def test_the_sink_of_the_stage_is_checked_with_its_own_options(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Options of an output are for its own sink; a stage that names another one brings its own, or is refused."""
    outputs = [{"name": "a", "options": {"path": "x"}}]
    assert problems(leave, tmp_path, {"sink": "stdout"}, outputs=outputs) == [
        ("outputs[0].options.path", "unknown key (the sink stdout knows fragment)")
    ]
    assert problems(leave, tmp_path, {"sink": "stdout", "sink_options": {}}, outputs=outputs) == []
    assert problems(leave, tmp_path, {"sink": "stdout", "sink_options": {"x": 1}}, outputs=None) == [
        ("sink_options.x", "unknown key (the sink stdout knows fragment)")
    ]
    assert problems(leave, tmp_path, {"formats": ["csv"], "sink_options": {"fragment": True}}, outputs=None) == [
        ("sink_options.fragment", "only latex has one, and this output is csv")
    ]


def test_a_fragment_is_of_latex_alone(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Where an output has several formats, the option makes only its LaTeX a fragment."""
    outputs = [{"name": "paper", "formats": ["latex", "html"], "options": {"fragment": True}}]
    run(leave.start(tmp_path, outputs=outputs))
    assert "documentclass" not in (tmp_path / "report" / "paper.tex").read_text()
    assert (tmp_path / "report" / "paper.html").read_text().startswith("<!doctype html>")


def test_names_are_checked(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A stage cannot name an output that is not there, and no output is left without a stage."""
    assert problems(leave, tmp_path, {}) == []
    assert problems(leave, tmp_path, {"name": "reprot"}) == [
        ("name", 'no output "reprot"; the experiment has report; did you mean "report"?')
    ]
    assert problems(leave, tmp_path, {"name": "-"}, outputs=None) == [
        ("name", '"-" has no letter or digit to name a file by')
    ]
    outputs = [{"name": "a"}, {"name": "b"}]
    pipeline = [{"name": "report", "options": {"name": "a"}}]
    assert problems(leave, tmp_path, {"name": "a"}, outputs=outputs, pipeline=pipeline) == [
        ("outputs[1].name", 'no stage writes "b"; name it in a stage `report`, or leave it out')
    ]
    assert problems(leave, tmp_path, {"name": "a"}, outputs=outputs, pipeline=[{"name": "bench"}]) == []


def test_describe() -> None:
    """The stage's schema comes from its options."""
    described = STAGE.describe()
    assert described["name"] == "report"
    assert set(described["optional"]) == {"name", "formats", "sink", "sink_options", "samples"}

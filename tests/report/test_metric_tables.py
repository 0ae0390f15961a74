"""What a run measured besides scores is shown as tables, whatever its shape, and counted where it is too long."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from crucible.report import FORMATS, build_results, render
from crucible.report.metric_tables import flat_values, metric_tables
from crucible.report.results import Results
from crucible.report.table import Table

CHECKS: dict[str, Any] = {
    "validation": {"status": "warnings", "warnings": ["dataset.revision: not pinned"]},
    "data_checks": {
        "total": 1200,
        "missing_required": 3,
        "required_fields": ["input", "expected"],
        "issues": [{"index": 4, "id": "a-4", "field": "expected"}, {"index": 9, "id": "a-9", "field": "input"}],
    },
    "guardrails": {"total": 1200, "violations": 1, "by_rule": {"pii.email": 1, "prompt_injection": 0}},
    "accuracy": 0.875,
}


def tables(**other: Any) -> list[Table]:
    """Return the tables of metrics."""
    return metric_tables(Results(other=other))


def rows(table: Table) -> list[tuple[str, ...]]:
    """Return group, name and cells of each row."""
    return [(row.group, row.name, *(cell.text for cell in row.cells)) for row in table.rows]


def test_checks_of_a_run() -> None:
    """A metric is a table, a mapping inside it a group of rows, a list of mappings a table of its own."""
    found = tables(**CHECKS)
    assert [table.caption for table in found] == [
        "Check of the document", "Checks of the data", "Checks of the data: issues", "Guardrails", "Single values",
    ]  # fmt: skip
    assert rows(found[1]) == [
        ("", "Total", "1,200"), ("", "Missing required", "3"), ("", "Required fields", "input; expected"),
    ]  # fmt: skip
    assert [column.heading for column in found[2].columns] == ["#", "Index", "Id", "Field"]
    assert rows(found[2])[1] == ("", "2", "9", "a-9", "input")
    assert rows(found[3])[2:] == [("By rule", "pii.email", "1"), ("By rule", "prompt_injection", "0")]
    assert rows(found[4]) == [("", "accuracy", "0.875")]
    assert found[3].columns[1].is_number
    assert not found[1].columns[1].is_number
    assert len({table.key for table in found}) == len(found)


def test_what_is_too_long_is_counted() -> None:
    """Rows, records, words and texts end somewhere, and say how much more there is."""
    found = tables(
        wide={f"k{i}": i for i in range(50)},
        many=[{"a": i} for i in range(25)],
        words={"list": list(range(30)), "text": "x" * 300},
        fields=[{str(i): i for i in range(9)}, 7],
    )
    assert found[0].notes == ("10 more rows are in the JSON report.",)
    assert len(found[0].rows) == 40
    assert found[1].notes == ("5 more are in the JSON report.",)
    assert found[2].rows[0].cells[0].text == "0; 1; 2; 3; 4; 5; 6; 7; … (22 more)"
    assert len(found[2].rows[1].cells[0].text) == 201
    assert rows(found[3])[0][2].startswith('{"0": 0')
    assert rows(found[3])[1] == ("", "2", "7")


def test_empty_and_odd_shapes() -> None:
    """Nothing is lost: an empty mapping is a value, a list of single values a text, a list in a group a row each."""
    found = tables(empty={}, none=None, flags=[True, False], deep={"a": {"b": [{"c": 1}], "d": {"e": None}}, "f": {}})
    assert rows(found[0]) == [("", "F", "none"), ("A", "b.0.c", "1"), ("A", "d.e", "—")]
    assert rows(found[1]) == [("", "empty", "none"), ("", "none", "—"), ("", "flags", "yes; no")]
    assert tables() == []
    assert list(flat_values({"a": {}})) == []


def test_a_run_of_checks_alone_is_readable(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Every format shows the checks; what they found stands among the cautions, before any number."""
    results = build_results(leave.start(tmp_path).merge_metrics(CHECKS))
    assert results["cautions"] == [
        "The document was found at fault: dataset.revision: not pinned",
        "data_checks: 3 issues among 1,200 items.",
        "guardrails: 1 violation among 1,200 items.",
    ]
    assert results["other"]["validation"] == {"status": "warnings"}
    for format_ in FORMATS:
        text = render(results, format_)
        assert "pii.email" in text
        assert "1,200" in text
    assert "## Checks and other measurements" in render(results, "markdown")
    assert 'id="measurements"' in render(results, "html")


def test_checks_that_found_nothing_are_no_caution(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A count of nothing warns of nothing; a stage that ran twice is named with its label."""
    clean = leave.start(tmp_path).merge_metrics({"data_checks": {"issues": 0, "missing_required": 0}, "guardrails": 3})
    assert build_results(clean)["cautions"] == []
    twice = leave.start(tmp_path).put_metric("data_checks.train", {"issues": 1})
    assert build_results(twice)["cautions"] == ["data_checks.train: 1 issue."]
    assert [table.caption for table in metric_tables(Results(other=dict(twice.metrics)))] == [
        "Checks of the data (train)"
    ]

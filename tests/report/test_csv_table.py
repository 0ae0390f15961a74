"""The CSV is one table that any reader takes apart again: every digit, no formula, nothing where nothing is."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.pipeline import Context
from crucible.report import build_results, render
from crucible.report.csv_table import COLUMNS, guard, unguard

acting = st.text(st.sampled_from("=+-@\t\r\n' \ufeff\uff1da1,;\""), max_size=6)


def rows(results: dict[str, Any]) -> list[dict[str, str]]:
    """Read the CSV of results as any program would."""
    return list(csv.DictReader(io.StringIO(render(results, "csv"), newline="")))


@pytest.fixture(scope="module")
def table(whole_run: Context) -> list[dict[str, str]]:
    """The CSV of a whole run, read."""
    return rows(build_results(whole_run))


def test_form(whole_run: Context) -> None:
    """Lines end in CRLF, all have as many fields as the header, and the header is the same for every run."""
    text = render(build_results(whole_run), "csv")
    assert text.endswith("\r\n")
    assert text.startswith(",".join(COLUMNS) + "\r\n")
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert {len(line) for line in lines} == {len(COLUMNS)}
    assert render({}, "csv").splitlines()[0] == ",".join(COLUMNS)


def test_scores(whole_run: Context, table: list[dict[str, str]]) -> None:
    """A mean stands with its counts, its interval and its method, to the last digit; made-up data is stamped."""
    row = next(r for r in table if r["kind"] == "score" and r["label"] == "rank16" and r["metric"] == "exact_match")
    summary = whole_run.metrics["evaluate.rank16"]["exact_match"]
    assert float(row["value"]) == summary["mean"]
    assert (float(row["low"]), float(row["high"])) == (summary["interval"]["low"], summary["interval"]["high"])
    assert (row["attempted"], row["scored"], row["failed"], row["skipped"], row["n"]) == ("150", "148", "2", "0", "148")
    assert (row["unit"], row["level"], row["failures"]) == ("fraction", "0.95", "exclude")
    assert row["p"] == row["text"] == ""
    assert {row["stamp"] for row in table} == {"SYNTHETIC DATA"}
    assert (row["experiment_id"], row["run_id"]) == ("quickstart", whole_run.run_id)


def test_differences(whole_run: Context, table: list[dict[str, str]]) -> None:
    """A difference stands with p, correction, effect and verdict, and the items of both sides below it."""
    found = [row for row in table if row["kind"] == "difference"]
    tested = whole_run.metrics["bench"]["contrasts"]
    assert [float(row["p"]) for row in found] == [contrast["p"] for contrast in tested]
    first = found[0]
    assert (first["label"], first["baseline"], first["metric"]) == ("rank16", "base", "exact_match")
    assert float(first["p_adjusted"]) == tested[0]["p_adjusted"]
    assert float(first["effect_value"]) == tested[0]["effect"]["value"]
    assert (first["correction"], first["verdict"], first["effect"]) == ("holm", "difference", "cohens_g")
    sides = [row for row in table if row["kind"] in ("baseline_items", "treatment_items")]
    assert sides[1]["label"] == "rank16"
    assert sides[1]["failed"] == "2"


def test_everything_else(table: list[dict[str, str]]) -> None:
    """Facts of trainings, data and run are rows too, numbers as values and words as text; so are the cautions."""
    facts = {(row["kind"], row["label"], row["metric"]): row["value"] or row["text"] for row in table}
    assert facts["training", "rank2", "config.learning_rate"] == "0.003"
    assert facts["data", "test", "items"] == "150"
    assert facts["provenance", "versions", "torch"] == "2.13.0"
    assert facts["generation", "base", "max_tokens"] == "48"
    assert facts["provenance", "", "seed"] == "0"
    assert next(row["text"] for row in table if row["kind"] == "caution").startswith("rank16: 2 of 150")


def test_metrics_of_any_shape(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Nested metrics are rows by path; a list of single values is one text; nothing is no row."""
    metrics = {"a": {"b": {"c": 0.1 + 0.2, "d": None}}, "e": [1, 2], "f": [{"x": True}], "g": 1e300, "h": {}}
    found = rows(build_results(leave.start(tmp_path).merge_metrics(metrics)))
    assert {(r["label"], r["metric"]): r["value"] or r["text"] for r in found if r["kind"] == "metric"} == {
        ("a", "b.c"): "0.30000000000000004", ("e", ""): "[1, 2]", ("f", "0.x"): "true", ("g", ""): "1e+300",
    }  # fmt: skip


def test_other_tests_and_missing_parts() -> None:
    """Tests beside the one that decides have rows, with why one was not made; what is unknown is empty."""
    contrast = {
        "name": "c", "baseline": "a", "treatment": "b", "also": [{"test": "t", "refused": "too few"}],
        "effect": {"name": "d", "interval": {"low": -1.5, "high": 2.0, "level": 0.9, "method": "x"}},
    }  # fmt: skip
    found = rows({"contrasts": [contrast]})
    assert [row["kind"] for row in found] == ["difference", "other_test"]
    assert (found[0]["effect_low"], found[0]["effect_level"], found[0]["value"]) == ("-1.5", "0.9", "")
    assert (found[1]["method"], found[1]["text"]) == ("t", "too few")
    assert found[0]["stamp"] == ""


@given(st.one_of(st.text(), acting))
def test_guarding_is_reversible(text: str) -> None:
    """Text that a spreadsheet could run starts with an apostrophe, and the text comes back."""
    guarded = guard(text)
    assert guarded.lstrip("\ufeff \t\r\n")[:1] not in set("=+-@") or not text
    assert guarded[:1] not in set("=+-@\t\r\n\uff1d")
    assert unguard(guarded) == text


@given(st.one_of(st.text(st.characters(codec="utf-8")), acting))
def test_any_text_comes_back(text: str) -> None:
    """Quotes, commas, new lines and formulas inside a text stay inside its field."""
    found = rows({"cautions": [text], "experiment_id": text})
    assert len(found) == 1
    assert not found[0]["text"].startswith(("=", "+", "-", "@"))
    if text.isprintable():
        assert unguard(found[0]["text"]) == unguard(found[0]["experiment_id"]) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_never_guarded(value: float) -> None:
    """A negative number is a number, to the last digit."""
    found = rows({"other": {"x": value}})
    assert float(found[0]["value"]) == value

"""Names from documents and files of strangers: what may be one, and what is refused before it becomes a path."""

from __future__ import annotations

import math
from typing import Any

import pytest

from crucible.errors import SpecError
from crucible.store.models import check_metrics, check_model, check_paths, check_stage, check_tags, split_reference

HOSTILE = ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "a b", "a\nb", "a\0b", "-rf", "é", "x" * 129, 7, None]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_of_models(name: Any) -> None:
    """A model's name is one plain word."""
    with pytest.raises(SpecError, match="cannot name a model"):
        check_model(name)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../up",
        "a/../b",
        "a//b",
        "./a",
        "a/",
        "a\\b",
        "C:/x",
        "a\nb",
        "a\0",
        "x" * 501,
        None,
        "\ud800",
    ],
)
def test_hostile_paths(path: Any) -> None:
    """A file of a model lies below its folder, and nowhere else."""
    with pytest.raises(SpecError, match="cannot be a file of a model"):
        check_paths(["good/one.bin", path])


def test_paths_that_cannot_lie_together() -> None:
    """The same one twice, and a file that is another's folder."""
    with pytest.raises(SpecError, match="listed twice"):
        check_paths(["a", "a"])
    with pytest.raises(SpecError, match="'a' is a file and the folder of 'a/b'"):
        check_paths(["a/b", "a"])
    check_paths(["a/b", "a.b", "ab", "ü/ß.bin"])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "0.5", None, 10**400])
def test_a_metric_is_a_finite_number(value: Any) -> None:
    """NaN, an infinity, a truth value and a text are refused by name; nothing is written as null."""
    with pytest.raises(SpecError, match="the metric loss is .*; a metric is a finite number"):
        check_metrics({"loss": value})


def test_names_of_metrics_and_tags() -> None:
    """Printable words; a text is no list of tags."""
    assert check_metrics({"a.b": 1}) == {"a.b": 1.0}
    for name in ("", "x" * 201, "a\x1b[31m", 3):
        with pytest.raises(SpecError, match="cannot name a metric"):
            check_metrics({name: 1.0})
    assert check_tags(["b", "a", "team:nlp", "a"]) == ("a", "b", "team:nlp")
    for tags in (["a b"], ["\x1b[31m"], [""], [7]):
        with pytest.raises(SpecError, match="cannot be a tag"):
            check_tags(tags)
    with pytest.raises(SpecError, match="must be a list of words"):
        check_tags("fast")


def test_references() -> None:
    """A model, and which of its versions."""
    assert split_reference("triage") == ("triage", None)
    assert split_reference("triage@1.0.0") == ("triage", "1.0.0")
    with pytest.raises(SpecError, match="names nothing after the @"):
        split_reference("triage@")
    with pytest.raises(SpecError, match="cannot name a model"):
        split_reference("@1.0.0")
    with pytest.raises(SpecError, match="unknown stage 'prod'.*known: development, staging, production, archived"):
        check_stage("prod")

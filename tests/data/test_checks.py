from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crucible import data
from crucible.data.checks import Issue, Tally, check_examples, find_issues
from crucible.data.checks_checker import checker_names, named_checker, run_checker, unknown_checker
from crucible.data.checks_examples import Examples
from crucible.data.checks_offers import load_offer
from crucible.errors import ContractError, DataError, MissingExtra

CheckRules, RowProblem = data.CheckRules, data.RowProblem


def kinds(issues: list[Issue]) -> list[tuple[int | None, str, tuple[str, ...]]]:
    """Return what tells issues apart."""
    return [(issue.index, issue.kind, issue.fields) for issue in issues]


def offer(folder: Path, patch: pytest.MonkeyPatch, group: str, module: str, code: str, **names: str) -> None:
    """Install a package of one module that offers names in an entry-point group."""
    (folder / f"{module}.py").write_text(code)
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    lines = [f"{name} = {module}:{value}" for name, value in names.items()]
    (about / "entry_points.txt").write_text(f"[{group}]\n" + "\n".join(lines) + "\n")
    patch.syspath_prepend(str(folder))
    patch.delitem(sys.modules, module, raising=False)


def test_none_and_empty_text_are_missing_and_other_empty_values_are_not() -> None:
    """0, false, an empty list and an empty mapping are answers; None, no key and "" are not."""
    values: list[Any] = [0, False, [], {}, 0.0, None, ""]
    rows: list[dict[str, Any]] = [{"input": "a", "output": value} for value in values] + [{"input": "a"}]
    assert kinds(check_examples(rows)) == [(index, "missing", ("output",)) for index in (5, 6, 7)]


def test_white_space_alone_is_missing_unless_it_is_allowed() -> None:
    """Nobody can see it; a task about white space says allow_blank, under which "" is still missing."""
    rows = [{"input": " \n", "output": "x"}, {"input": "", "output": "\t"}]
    assert kinds(check_examples(rows)) == [(0, "missing", ("input",)), (1, "missing", ("input", "output"))]
    assert kinds(check_examples(rows, CheckRules(allow_blank=True))) == [(1, "missing", ("input",))]


def test_issues_come_in_the_order_of_the_examples_with_index_and_id() -> None:
    """The fields of an issue are in the order in which they are required."""
    rows = [{"id": 7}, {"input": "a", "output": "b"}, {"id": "x", "output": "b"}]
    found = check_examples(rows, CheckRules(required_fields=("output", "input")))
    assert [(issue.index, issue.id, issue.fields) for issue in found] == [
        (0, "7", ("output", "input")),
        (2, "x", ("input",)),
    ]
    assert found[1].to_dict() == {
        "source": "examples",
        "index": 2,
        "id": "x",
        "kind": "missing",
        "problem": "no value in input",
        "fields": ["input"],
        "missing": ["input"],
    }
    assert found[1].where == 'examples[2] (id "x")'


def test_the_output_of_a_datasets_item_is_its_expected_answer() -> None:
    """And a field of its metadata can be required by its name."""
    items = [data.Item("a", "q", "1", {"topic": "x"}), data.Item("b", "q", None), data.Item("c", " ", "")]
    dataset = data.Dataset("mine", "train", tuple(items), data.Provenance(source="memory"))
    found = check_examples(dataset, CheckRules(required_fields=("input", "output", "expected", "topic")))
    assert [(issue.source, issue.id, issue.fields) for issue in found] == [
        ("train", "b", ("output", "expected", "topic")),
        ("train", "c", ("input", "output", "expected", "topic")),
    ]


def test_an_example_that_is_no_mapping_is_an_issue_of_its_own() -> None:
    """Not a crash, and not a row of missing fields."""
    (issue,) = check_examples(["text", {"input": "a", "output": "b"}])
    assert (issue.index, issue.kind, issue.to_dict()["missing"]) == (0, "not_a_mapping", [])
    assert "this is a str" in issue.problem


def test_values_that_must_be_unique_name_the_first_that_has_them() -> None:
    """Text is compared without case and white space, ids exactly, other values as JSON; missing ones do not count."""
    rows = [
        {"id": "a", "input": "One  two", "tags": [1, {"b": 1, "a": 2}]},
        {"id": "A", "input": "one two ", "tags": [1, {"a": 2, "b": 1}]},
        {"id": "a", "input": "", "tags": {1, 2}},
        {"id": 1, "input": None, "tags": object},
        {"id": "1", "input": "three", "tags": [1]},
    ]
    found = check_examples(rows, CheckRules(required_fields=(), unique_fields=("id", "input", "tags")))
    assert kinds(found) == [(1, "duplicate", ("input",)), (1, "duplicate", ("tags",)), (2, "duplicate", ("id",))]
    assert found[0].problem == "input is that of example 0 too"


def test_too_few_examples_are_an_issue_of_the_source() -> None:
    """The one that has no index, after all others."""
    found = check_examples([{}], CheckRules(min_examples=2))
    assert kinds(found) == [(0, "missing", ("input", "output")), (None, "too_few", ())]
    assert (found[1].where, found[1].problem) == ("examples", "1 examples, at least 2 are asked for")
    assert not check_examples([])


def test_a_checkers_problems_stand_where_their_examples_do() -> None:
    """Whatever their own order; those of the whole source come last."""
    rows = [{"input": "a"}, {"input": "b", "output": "c"}]
    problems = [RowProblem(None, "unbalanced"), RowProblem(1, "rude", ("output",)), RowProblem(0, "odd")]
    found = check_examples(rows, problems=problems)
    assert [(issue.index, issue.kind, issue.problem) for issue in found] == [
        (0, "missing", "no value in output"),
        (0, "checker", "odd"),
        (1, "checker", "rude"),
        (None, "checker", "unbalanced"),
    ]


def test_a_tally_counts_all_and_keeps_the_first() -> None:
    """A file of a million broken lines does not fill the memory."""
    tally = Tally(keep=2)
    for issue in find_issues(Examples("examples", [{}] * 1000), CheckRules()):
        tally.add(issue)
    assert (tally.total, len(tally.kept), dict(tally.by_field)) == (1000, 2, {"input": 1000, "output": 1000})


def odd_lengths(examples: Any, options: Any) -> list[data.RowProblem]:
    """Complain of inputs of odd length."""
    step = options.get("step", 2)
    return [RowProblem(index, "odd") for index, row in enumerate(examples) if len(row["input"]) % step]


def test_a_checker_sees_mappings_and_its_options() -> None:
    """A dataset's items too."""
    examples = Examples("train", [data.Item("a", "xy"), data.Item("b", "xyz")])
    assert run_checker(odd_lengths, examples, {}) == [RowProblem(1, "odd")]
    assert run_checker(odd_lengths, examples, {"step": 3}) == [RowProblem(0, "odd")]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([RowProblem(2, "x")], "speaks of example 2 of examples, which has 1"),
        ([RowProblem(-1, "x")], "speaks of example -1"),
        (["x"], "must return RowProblems, got a str"),
        (None, "failed: TypeError"),
        (ValueError("no"), "failed: ValueError: no"),
    ],
)
def test_a_checker_that_breaks_its_agreement_is_a_contract_error(answer: Any, message: str) -> None:
    """It names the checker; an error of ours passes as it is."""

    def mine(examples: Any, options: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(ContractError, match="the checker mine ") as caught:
        run_checker(mine, Examples("examples", [{}]), {})
    assert message in str(caught.value)
    answer = DataError("ours")
    with pytest.raises(DataError, match="ours"):
        run_checker(mine, Examples("examples", [{}]), {})


def test_checkers_are_found_by_the_name_that_a_package_offers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As stages are; what cannot be imported or called is a contract error, a missing extra says what to install."""
    code = (
        "from crucible.data import RowProblem\n"
        "def polite(examples, options):\n    return [RowProblem(0, 'rude')]\n"
        "number = 3\n"
    )
    names = {"polite": "polite", "number": "number", "gone": "gone"}
    offer(tmp_path, monkeypatch, "crucible.data_checkers", "my_checkers", code, **names)
    assert checker_names() == ("gone", "number", "polite")
    assert unknown_checker("polite") is None
    assert run_checker(named_checker("polite"), Examples("examples", [{}]), {}) == [RowProblem(0, "rude")]
    with pytest.raises(ContractError, match='"number" must be a function, got a int'):
        named_checker("number")
    with pytest.raises(ContractError, match='the checker "gone" .* cannot be imported'):
        named_checker("gone")
    with pytest.raises(ContractError, match='unknown checker "polit"; did you mean "polite"'):
        named_checker("polit")


def test_what_an_offer_needs_is_said_with_the_pip_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The typed error of the package reaches the user."""
    code = "from crucible.errors import require\nrequire('no_such_module', extra='train')\n"
    offer(tmp_path, monkeypatch, "crucible.data_checkers", "needy_checkers", code, needy="x")
    with pytest.raises(MissingExtra, match=r"pip install 'crucible-ml\[train\]'"):
        load_offer("crucible.data_checkers", "needy", "checker")


def test_a_document_cannot_name_code() -> None:
    """An import path is refused for what it is."""
    problem = unknown_checker("os:system")
    assert problem is not None
    assert "an import path is code, which a document may not name" in problem
    assert "none is installed" in problem


def test_an_issue_survives_msgspec() -> None:
    """It is a plain record."""
    (issue,) = check_examples([{}])
    assert msgspec.json.decode(msgspec.json.encode(issue), type=Issue) == issue


@pytest.mark.parametrize(
    "unseen", ["\u200b\u2060", "\ufeff", "\u3164", "\u00ad", "\u00a0", "\x00", "\uffa0\ufe0f", "\u2800"]
)
def test_text_that_nobody_can_see_is_missing(unseen: str) -> None:
    """Zero-width and control characters, byte order marks, fillers; beside a letter they do no harm."""
    rows = [{"input": unseen, "output": f"{unseen}x"}]
    (issue,) = check_examples(rows)
    assert (issue.kind, issue.fields) == ("missing", ("input",))
    assert check_examples(rows, data.CheckRules(allow_blank=True)) == []

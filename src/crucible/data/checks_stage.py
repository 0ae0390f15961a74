"""The stage `data_checks`: looks at the examples of a run before anything is spent on them.

Every issue is counted; the first of them are kept with their places, so that a large broken file does not fill the
store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from pydantic import BaseModel, Field

from crucible import events
from crucible.data.checks import CheckRules, Issue, Tally, find_issues
from crucible.data.checks_checker import Checker, named_checker, run_checker, unknown_checker
from crucible.data.checks_examples import Examples, find_examples, label_problems
from crucible.errors import ContractError, DataError
from crucible.ir import Experiment, Seq
from crucible.pipeline import Context, StageBase, StageOptions, check_cancelled

__all__ = ["DataChecksOptions", "DataChecksStage"]

_SHOWN: Final = 5


class DataChecksOptions(StageOptions):
    """Options of `data_checks`."""

    required_fields: Seq[str] = Field(
        default=("input", "output"),
        description="Fields that need a value; a dataset's output is its expected answer.",
    )
    fail_fast: bool = Field(default=False, description="The first issue ends the run.")
    fail_on_issue: bool = Field(default=False, description="Any issue ends the run, after all examples were checked.")
    checker: str | None = Field(default=None, min_length=1, description="Name of an installed checker to ask as well.")
    checker_options: dict[str, Any] | None = Field(default=None, description="Options of the checker.")
    sources: Seq[str] = Field(
        default=(), description="examples, or names of datasets such as train; default: all that there are."
    )
    allow_blank: bool = Field(default=False, description="Text of white space alone is a value.")
    unique_fields: Seq[str] = Field(default=(), description="Fields whose values occur once, such as id or input.")
    min_examples: int = Field(default=0, ge=0, description="Fewest examples of a source.")
    max_issues: int = Field(default=1000, ge=0, description="Most issues to keep; all of them are counted.")
    label: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Tells a second stage of this kind from the first: its results are data_checks.<label>.",
    )


class DataChecksStage(StageBase):
    """Check that every example has the fields it needs.

    Reads `assigns.examples` and the loaded datasets; without either there is nothing to check, and the metric says so.
    Writes counts to the metric `data_checks` and the issues, in the order of the examples, to `assigns.data_issues`.
    """

    name: ClassVar[str] = "data_checks"
    Options: ClassVar[type[BaseModel]] = DataChecksOptions
    reads: ClassVar[frozenset[str] | None] = frozenset()

    def __init__(self, checker: Checker | None = None) -> None:
        """Make the stage.

        Args:
            checker: A checker to ask in every run, beside the one that a document names.
        """
        self._checker = checker

    def check(self, experiment: Experiment, options: DataChecksOptions) -> list[tuple[str, str]]:
        """Return a checker that is not installed, options of none, and a second stage with the same label."""
        found = label_problems(experiment, self.name, options.label)
        if options.checker is not None and (problem := unknown_checker(options.checker)):
            found.append(("checker", problem))
        if options.checker_options is not None and options.checker is None and self._checker is None:
            found.append(("checker_options", "there is no checker to give them to; name one with checker"))
        return found

    def announces(self, experiment: Experiment, options: DataChecksOptions) -> Mapping[str, Any]:
        """Return nothing: no stage after this one needs to know what it leaves."""
        del experiment, options
        return {}

    def run(self, context: Context, options: DataChecksOptions) -> Context:
        """Check all examples.

        Raises:
            DataError: There are issues and `fail_fast` or `fail_on_issue` is on, or `assigns.examples` is no list.
            ContractError: A source or the checker is not there, the checker broke its agreement, or an earlier stage
                wrote its results under the same label.
        """
        suffix = f".{options.label}" if options.label else ""
        if context.has_metric(f"data_checks{suffix}"):
            raise ContractError(f"data_checks{suffix} was written by an earlier stage; give this one another label")
        sources = find_examples(context, options.sources)
        tally = Tally(options.max_issues)
        for examples in sources:
            for issue in self._issues(examples, options):
                tally.add(issue)
                if options.fail_fast:
                    raise DataError(f"{issue.where}: {issue.problem} (fail_fast)")
            check_cancelled()
        if tally.total and options.fail_on_issue:
            raise DataError(_summary(tally))
        _explain(sources, tally)
        context = context.assign(f"data_issues{suffix}", [issue.to_dict() for issue in tally.kept])
        return context.put_metric(f"data_checks{suffix}", _facts(sources, tally, options))

    def _issues(self, examples: Examples, options: DataChecksOptions) -> Iterator[Issue]:
        given = options.checker_options or {}
        checkers = [self._checker] if self._checker else []
        if options.checker is not None:
            checkers.append(named_checker(options.checker))
        problems = [problem for each in checkers for problem in run_checker(each, examples, given)]
        rules = CheckRules(options.required_fields, options.allow_blank, options.unique_fields, options.min_examples)
        return find_issues(examples, rules, problems)


def _facts(sources: Sequence[Examples], tally: Tally, options: DataChecksOptions) -> dict[str, Any]:
    total = sum(len(examples.values) for examples in sources)
    return {
        "status": "issues" if tally.total else "passed" if total else "nothing_to_check",
        "total": total,
        "checked": {examples.source: len(examples.values) for examples in sources},
        "required_fields": list(options.required_fields),
        "missing_required": tally.by_kind["missing"],
        "issues": tally.total,
        "issues_by_kind": dict(sorted(tally.by_kind.items())),
        "issues_by_field": dict(sorted(tally.by_field.items())),
        "issues_left_out": tally.total - len(tally.kept),
    }


def _summary(tally: Tally) -> str:
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.by_kind.items()))
    first = "; ".join(f"{issue.where}: {issue.problem}" for issue in tally.kept[:_SHOWN])
    rest = f"; and {tally.total - _SHOWN} more" if tally.total > _SHOWN else ""
    return f"{tally.total} issues ({counts}): {first}{rest} (fail_on_issue)"


def _explain(sources: Sequence[Examples], tally: Tally) -> None:
    checked = ", ".join(f"{len(examples.values)} of {examples.source}" for examples in sources)
    if not any(examples.values for examples in sources) and not tally.total:
        events.decision("checked no examples", "no stage and no caller provided any", type="constraint_evaluated")
    elif tally.total:
        counts = dict(sorted(tally.by_kind.items()))
        events.decision(
            f"went on with {tally.total} issues in the examples",
            f"checked {checked}; neither fail_fast nor fail_on_issue is on",
            alternatives=["end the run"],
            type="constraint_evaluated",
            metadata={"issues": tally.total, "by_kind": counts},
        )

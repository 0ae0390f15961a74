"""The stage `guardrails`: looks for personal data, prompt injection, jailbreaks and harmful content in the examples.

What it finds is kept by place and placeholder only. With `pii_redaction` every later stage sees the examples without
the personal data that was found; the stage itself writes the original nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel

from crucible import events
from crucible.data.checks_examples import EXAMPLES, Examples, find_examples, label_problems
from crucible.data.guardrails.adapter import get_adapter
from crucible.data.guardrails.scanning import Clean, Plan, Scanned, scan_examples
from crucible.data.guardrails.settings import GuardrailsOptions, Settings, resolve, setting_problems
from crucible.errors import ContractError, DataError
from crucible.ir import Experiment
from crucible.pipeline import Context, StageBase

__all__ = ["GuardrailsStage"]


class GuardrailsStage(StageBase):
    """Look for personal data, prompt injection, jailbreaks and harmful content; replace personal data if asked to.

    Reads `assigns.examples` and the loaded datasets; without either there is nothing to scan, and the metric says so.
    Writes counts to the metric `guardrails` and the violations, in the order of the examples, to
    `assigns.guardrail_violations`. What `reliability.guardrails` of the document says holds where no option is given.
    """

    name: ClassVar[str] = "guardrails"
    Options: ClassVar[type[BaseModel]] = GuardrailsOptions
    reads: ClassVar[frozenset[str] | None] = frozenset({"reliability.guardrails"})

    def check(self, experiment: Experiment, options: GuardrailsOptions) -> list[tuple[str, str]]:
        """Return unknown profiles, adapters and rules, contradictions, and a second stage with the same label."""
        return label_problems(experiment, self.name, options.label) + setting_problems(options, experiment)

    def announces(self, experiment: Experiment, options: GuardrailsOptions) -> Mapping[str, Any]:
        """Return nothing: no stage after this one needs to know what it leaves."""
        del experiment, options
        return {}

    def run(self, context: Context, options: GuardrailsOptions) -> Context:
        """Scan all examples.

        Raises:
            DataError: There are violations and they are to end the run, or `assigns.examples` is no list.
            ContractError: The settings cannot be carried out, the adapter failed, a source is not there, or an earlier
                stage wrote its results under the same label.
            MissingExtra: The adapter needs packages that are not installed.
        """
        suffix = f".{options.label}" if options.label else ""
        if context.has_metric(f"guardrails{suffix}"):
            raise ContractError(f"guardrails{suffix} was written by an earlier stage; give this one another label")
        settings, plan = _prepared(context.experiment, options)
        sources = find_examples(context, options.sources)
        scanned = Scanned()
        clean = {each.source: scan_examples(each, plan, scanned) for each in sources}
        if scanned.violations and settings.fails:
            raise DataError(_summary(sources, scanned))
        _explain(sources, scanned, settings, plan)
        redacted: dict[str, Any] = {}
        for each in sources:
            if (found := clean[each.source]) is not None:
                context, redacted[each.source] = _without(context, each, found)
        context = context.assign(f"guardrail_violations{suffix}", [each.to_dict() for each in scanned.kept])
        facts = _facts(sources, scanned, settings, plan)
        return context.put_metric(f"guardrails{suffix}", {**facts, "redacted": redacted})

    def rebuild(self, context: Context, options: GuardrailsOptions) -> Context:
        """Replace personal data in the datasets again for a run that is resumed.

        Raises:
            DataError: The datasets without personal data are not those that the run went on with.
            ContractError: As `run`.
            MissingExtra: As `run`.
        """
        suffix = f".{options.label}" if options.label else ""
        before: Mapping[str, Any] = context.get_metric(f"guardrails{suffix}", {}).get("redacted", {})
        wanted = [name for name in before if name != EXAMPLES]
        if not wanted:
            return context
        _, plan = _prepared(context.experiment, options)
        for each in find_examples(context, wanted):
            clean = scan_examples(each, plan, Scanned())
            facts: dict[str, Any] = {}
            if clean is not None:
                context, facts = _without(context, each, clean)
            if facts.get("content_hash") != before[each.source]["content_hash"]:
                raise DataError(
                    f"{each.source}: without personal data, the items are not those that the run went on with: "
                    f'the adapter "{options.adapter}" finds other things now; start a new run'
                )
        return context


def _prepared(experiment: Experiment, options: GuardrailsOptions) -> tuple[Settings, Plan]:
    problems = setting_problems(options, experiment)
    if problems:
        raise ContractError("; ".join(f"{path}: {message}" for path, message in problems))
    settings = resolve(options, experiment)
    adapter = get_adapter(options.adapter, settings.adapter_options)
    return settings, Plan(adapter, settings.scan, options.fields, settings.replaces, options.max_violations)


def _without(context: Context, examples: Examples, clean: Clean) -> tuple[Context, dict[str, Any]]:
    """Return the context with the clean examples in place of the others, and what is written of it."""
    dataset = examples.dataset
    if dataset is None:
        return context.assign(EXAMPLES, clean.values), {"texts": clean.texts}
    replaced = dataset.replaced(clean.values, f"personal data replaced in {clean.texts} texts")
    facts = {"texts": clean.texts, "content_hash": replaced.content_hash()}
    return context.put_resource(examples.source, replaced), facts


def _facts(sources: Sequence[Examples], scanned: Scanned, settings: Settings, plan: Plan) -> dict[str, Any]:
    return {
        "status": "violations" if scanned.violations else "passed" if scanned.texts else "nothing_to_scan",
        "total": sum(len(each.values) for each in sources),
        "scanned": {each.source: len(each.values) for each in sources},
        "texts": scanned.texts,
        "violations": scanned.violations,
        "items_with_violations": scanned.items,
        "by_rule": dict(sorted(scanned.by_rule.items())),
        "by_category": dict(sorted(scanned.by_category.items())),
        "by_severity": dict(sorted(scanned.by_severity.items())),
        "violations_left_out": scanned.violations - len(scanned.kept),
        "adapter": plan.adapter.name,
        "adapter_version": getattr(plan.adapter, "version", None),
        "profile": "+".join(settings.profiles),
        "thresholds": msgspec.to_builtins(dict(settings.scan.thresholds)),
        "fields": list(plan.fields),
        **({"cautions": cautions} if (cautions := _cautions(sources, scanned, plan)) else {}),
    }


def _cautions(sources: Sequence[Examples], scanned: Scanned, plan: Plan) -> list[str]:
    """Return what nobody should take for a scan: a source whose examples have no text in the fields."""
    fields = ", ".join(plan.fields)
    counts = {each.source: len(each.values) for each in sources}
    return [
        f"none of the {counts[source]} examples of {source} has text in {fields}, so nothing of them was scanned; "
        "name the fields to scan with fields"
        for source in scanned.unread
    ]


def _summary(sources: Sequence[Examples], scanned: Scanned) -> str:
    counts = ", ".join(f"{count} {rule}" for rule, count in sorted(scanned.by_rule.items()))
    total = sum(len(each.values) for each in sources)
    first = scanned.first
    where = f"; the first: {first.where} {first.start} to {first.end}, {first.redacted}" if first else ""
    return (
        f"{scanned.violations} violations in {scanned.items} of {total} examples: {counts}{where} (fail_on_violation)"
    )


def _explain(sources: Sequence[Examples], scanned: Scanned, settings: Settings, plan: Plan) -> None:
    if not any(each.values for each in sources):
        events.decision("scanned no examples", "no stage and no caller provided any", type="constraint_evaluated")
    for caution in _cautions(sources, scanned, plan):
        events.decision("went on without scanning all examples", caution, type="constraint_evaluated")
    if scanned.violations:
        personal = scanned.by_category["pii"]
        done = (
            f"replaced {personal} of {scanned.violations}"
            if settings.replaces
            else f"went on with {scanned.violations}"
        )
        events.decision(
            f"{done} violations in {scanned.items} examples",
            "fail_on_violation is off",
            alternatives=["end the run"],
            type="constraint_evaluated",
            metadata={"violations": scanned.violations, "by_rule": dict(sorted(scanned.by_rule.items()))},
        )

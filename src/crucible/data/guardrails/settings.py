"""The options of `guardrails`, and what they come to together with `reliability.guardrails` of the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from pydantic import Field

from crucible.data.guardrails.adapter import ScanOptions, adapter_problem
from crucible.data.guardrails.finding import Category
from crucible.data.guardrails.profiles import thresholds_of, unknown_profile
from crucible.data.guardrails.rules import rule_names
from crucible.ir import Experiment, Seq, did_you_mean
from crucible.pipeline import StageOptions

__all__ = ["GuardrailsOptions", "Settings", "resolve", "setting_problems"]

_CONFIG: Final = "reliability.guardrails"
_SWITCHES: Final = {
    Category.PII: "pii_detection",
    Category.PROMPT_INJECTION: "prompt_injection_detection",
    Category.JAILBREAK: "jailbreak_detection",
    Category.CONTENT: "content_moderation",
}


class GuardrailsOptions(StageOptions):
    """Options of `guardrails`; one that is not given is what `reliability.guardrails` says."""

    adapter: str = Field(default="rules", min_length=1, description="What looks at the texts: rules, or another.")
    adapter_options: dict[str, Any] | None = Field(default=None, description="Options of the adapter.")
    profiles: Seq[str] | None = Field(
        default=None, min_length=1, description="default, strict, moderate or permissive; several find what any does."
    )
    prompt_injection_detection: bool | None = Field(default=None, description="Look for prompt injection.")
    jailbreak_detection: bool | None = Field(default=None, description="Look for jailbreaks.")
    pii_detection: bool | None = Field(default=None, description="Look for personal data and keys.")
    content_moderation: bool | None = Field(default=None, description="Look for harmful content.")
    pii_redaction: bool | None = Field(
        default=None, description="Replace personal data for all later stages by placeholders such as [EMAIL]."
    )
    fail_on_violation: bool | None = Field(
        default=None, description="Any violation ends the run; default: fail_on_detection of the document, else false."
    )
    ignore_rules: Seq[str] = Field(default=(), description="Rules that do not count, such as phone.")
    fields: Seq[str] = Field(
        default=("input", "output"),
        min_length=1,
        description="Fields to scan; a dataset's output is its expected answer; * is every field but the id.",
    )
    sources: Seq[str] = Field(
        default=(), description="examples, or names of datasets such as train; default: all that there are."
    )
    max_violations: int = Field(default=1000, ge=0, description="Most violations to keep; all of them are counted.")
    label: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Tells a second stage of this kind from the first: its results are guardrails.<label>.",
    )


class Settings(msgspec.Struct, frozen=True):
    """What a stage does, decided.

    Args:
        adapter_options: Options of the adapter: the stage's over those of the document.
        profiles: Names of the profiles.
        scan: What is looked for.
        replaces: Whether personal data is replaced.
        fails: Whether a violation ends the run.
    """

    adapter_options: Mapping[str, Any]
    profiles: tuple[str, ...]
    scan: ScanOptions
    replaces: bool
    fails: bool


def resolve(options: GuardrailsOptions, experiment: Experiment) -> Settings:
    """Return what the stage does: its own options, else those of the document, else the defaults.

    The profiles must be known; `setting_problems` says so.
    """
    config = _config(experiment)
    profiles = _profiles(options, config)[1]
    switches = {category: _first(options, config, name) for category, name in _SWITCHES.items()}
    fails = options.fail_on_violation
    return Settings(
        adapter_options={**(getattr(config, "options", None) or {}), **(options.adapter_options or {})},
        profiles=profiles,
        scan=ScanOptions(thresholds_of(profiles, switches), frozenset(options.ignore_rules)),
        replaces=bool(_first(options, config, "pii_redaction")),
        fails=bool(getattr(config, "fail_on_detection", None) if fails is None else fails),
    )


def setting_problems(options: GuardrailsOptions, experiment: Experiment) -> list[tuple[str, str]]:
    """Return what cannot be done, as (path, message); a path is an option of the stage or one of the document."""
    path, profiles = _profiles(options, _config(experiment))
    found = [
        (f"{path}[{place}]", problem)
        for place, name in enumerate(profiles)
        if (problem := unknown_profile(name)) is not None
    ]
    if found:
        return found
    settings = resolve(options, experiment)
    if problem := adapter_problem(options.adapter, settings.adapter_options):
        found.append(problem)
    if not settings.scan.thresholds:
        found.append(("profiles", "nothing is looked for: every kind of detection is switched off"))
    if settings.replaces and Category.PII not in settings.scan.thresholds:
        found.append(("pii_redaction", "replaces what pii_detection finds, which is switched off"))
    if settings.replaces and "id" in options.fields:
        found.append(("fields", "ids pair the answers of two models and are never replaced; leave id out"))
    if options.adapter == "rules" and options.ignore_rules:
        known = rule_names()
        found += [
            (f"ignore_rules[{place}]", f'unknown rule "{name}"{did_you_mean(name, known)}; known: {", ".join(known)}')
            for place, name in enumerate(options.ignore_rules)
            if name not in known
        ]
    return found


def _config(experiment: Experiment) -> Any:
    return getattr(experiment.reliability, "guardrails", None)


def _profiles(options: GuardrailsOptions, config: Any) -> tuple[str, tuple[str, ...]]:
    if options.profiles is not None:
        return "profiles", tuple(options.profiles)
    given = getattr(config, "profiles", None)
    return f"{_CONFIG}.profiles", tuple(given or ("default",))


def _first(options: GuardrailsOptions, config: Any, name: str) -> bool | None:
    own = getattr(options, name)
    return getattr(config, name, None) if own is None else own

"""Guardrails: personal data, prompt injection, jailbreaks and harmful content in the examples of a run.

The built-in rules are patterns and check sums. They find what is said plainly; they are no proof that a text is safe.
"""

from crucible.data.guardrails.adapter import (
    GuardrailAdapter,
    ScanOptions,
    adapter_names,
    get_adapter,
    scan,
)
from crucible.data.guardrails.finding import Category, Finding, Severity, Violation
from crucible.data.guardrails.measure import Case, Quality, measure, read_cases
from crucible.data.guardrails.profiles import PROFILES, Thresholds
from crucible.data.guardrails.redaction import redact
from crucible.data.guardrails.rules import rule_names
from crucible.data.guardrails.stage import GuardrailsStage

__all__ = [
    "PROFILES",
    "Case",
    "Category",
    "Finding",
    "GuardrailAdapter",
    "GuardrailsStage",
    "Quality",
    "ScanOptions",
    "Severity",
    "Thresholds",
    "Violation",
    "adapter_names",
    "get_adapter",
    "measure",
    "read_cases",
    "redact",
    "rule_names",
    "scan",
]

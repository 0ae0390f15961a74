"""Adapters: what looks at texts. The built-in rules are one, and register as a stranger's does.

An adapter registers through the entry-point group `crucible.guardrails`: the value is a callable that takes the
document's `adapter_options` as keyword arguments and returns the adapter.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

import msgspec

from crucible.data.checks_offers import load_offer, offer_names, unknown_offer
from crucible.data.guardrails.finding import Finding
from crucible.data.guardrails.profiles import Thresholds, thresholds_of, unknown_profile
from crucible.errors import ContractError, CrucibleError

__all__ = ["GuardrailAdapter", "ScanOptions", "adapter_names", "adapter_problem", "get_adapter", "scan", "scan_texts"]

_GROUP: Final = "crucible.guardrails"


class ScanOptions(msgspec.Struct, frozen=True):
    """What an adapter is to look for.

    Args:
        thresholds: The least severity that counts, by category. An adapter may return more; it is left out then.
        ignore_rules: Rules that do not count.
    """

    thresholds: Thresholds
    ignore_rules: frozenset[str] = frozenset()

    def wants(self, found: Finding) -> bool:
        """Return whether a finding counts."""
        least = self.thresholds.get(found.category)
        return least is not None and found.severity.rank >= least.rank and found.rule not in self.ignore_rules


@runtime_checkable
class GuardrailAdapter(Protocol):
    """Looks at texts and says what it finds; it knows nothing of examples, datasets and runs."""

    name: str

    def scan(self, texts: Sequence[str], options: ScanOptions) -> Sequence[Sequence[Finding]]:
        """Return the findings of each text, in the order of the texts."""
        ...


def adapter_names() -> tuple[str, ...]:
    """Return the names of the installed adapters, sorted."""
    return offer_names(_GROUP)


def adapter_problem(name: str, options: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return why an adapter cannot be made, as (`adapter` or `adapter_options`, message); None if it can.

    Loads neither models nor the packages of an extra.
    """
    problem = unknown_offer(_GROUP, name, "guardrail adapter")
    if problem:
        return "adapter", problem
    try:
        _bound(name, load_offer(_GROUP, name, "guardrail adapter"), options)
    except CrucibleError as error:
        return ("adapter_options" if isinstance(error.__cause__, TypeError) else "adapter"), str(error)
    return None


def get_adapter(name: str, options: Mapping[str, Any] | None = None) -> GuardrailAdapter:
    """Return an adapter, made with its options.

    Raises:
        ContractError: No adapter has this name, it cannot be imported, or does not take one of the options.
        MissingExtra: It needs packages that are not installed.
        DataError: One of its options cannot be used.
    """
    factory = load_offer(_GROUP, name, "guardrail adapter")
    _bound(name, factory, options or {})
    try:
        made = factory(**(options or {}))
    except CrucibleError:
        raise
    except Exception as error:
        raise ContractError(f'the guardrail adapter "{name}" cannot be made: {_words(error)}') from error
    if not isinstance(made, GuardrailAdapter):
        raise ContractError(f'the guardrail adapter "{name}" is a {type(made).__name__} without name and scan')
    return made


def _bound(name: str, factory: Any, options: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(factory)
        signature.bind(**options)
    except TypeError as error:
        takes = ", ".join(inspect.signature(factory).parameters) if callable(factory) else ""
        raise ContractError(f'adapter_options of "{name}": {error}; it takes: {takes or "none"}') from error


def scan(
    texts: Sequence[str], *, profiles: Iterable[str] = ("default",), adapter: GuardrailAdapter | str = "rules"
) -> list[list[Finding]]:
    """Return what an adapter finds in each text.

    Args:
        texts: Any texts.
        profiles: What counts: default, strict, moderate or permissive.
        adapter: An adapter, or the name of an installed one.

    Raises:
        ContractError: A profile or the adapter is unknown, or the adapter failed.
        MissingExtra: The adapter needs packages that are not installed.
    """
    chosen = tuple(profiles)
    if problems := [problem for name in chosen if (problem := unknown_profile(name))]:
        raise ContractError("; ".join(problems))
    looking = get_adapter(adapter) if isinstance(adapter, str) else adapter
    return scan_texts(looking, texts, ScanOptions(thresholds_of(chosen, {})))


def scan_texts(adapter: GuardrailAdapter, texts: Sequence[str], options: ScanOptions) -> list[list[Finding]]:
    """Return what an adapter finds in each text and what counts, in the order of the places.

    Raises:
        ContractError: The adapter failed, or what it returned is not of the agreed form.
        CrucibleError: Whatever the adapter raised of ours, such as `MissingExtra`.
    """
    try:
        found: Any = list(adapter.scan(texts, options))
    except CrucibleError:
        raise
    except Exception as error:
        raise ContractError(f'the guardrail adapter "{adapter.name}" failed: {_words(error)}') from error
    if len(found) != len(texts):
        raise ContractError(
            f'the guardrail adapter "{adapter.name}" answered {len(found)} texts of {len(texts)}; '
            "one list a text is agreed"
        )
    return [
        [each for each in _checked(adapter, text, answer) if options.wants(each)]
        for text, answer in zip(texts, found, strict=True)
    ]


def _checked(adapter: GuardrailAdapter, text: str, answer: Any) -> list[Finding]:
    findings: list[Any] = list(answer)
    for each in findings:
        if not isinstance(each, Finding):
            raise ContractError(
                f'the guardrail adapter "{adapter.name}" must return Findings, got a {type(each).__name__}'
            )
        if not 0 <= each.start < each.end <= len(text):
            raise ContractError(
                f'the guardrail adapter "{adapter.name}": {each.rule} at {each.start} to {each.end} '
                f"lies outside a text of {len(text)} characters"
            )
    return findings


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"

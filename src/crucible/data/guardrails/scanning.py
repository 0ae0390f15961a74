"""Examples through an adapter: which texts of them are scanned, what is found where, and the examples without it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from crucible.data.checks_examples import Examples, row_id
from crucible.data.guardrails.adapter import GuardrailAdapter, ScanOptions, scan_texts
from crucible.data.guardrails.finding import Finding, Violation
from crucible.data.guardrails.redaction import TextPath, path_words, redact, replace_texts, texts_in
from crucible.data.items import Item
from crucible.pipeline import check_cancelled

__all__ = ["Clean", "Plan", "Scanned", "scan_examples"]

_BATCH: Final = 64


class Plan(msgspec.Struct, frozen=True):
    """How examples are scanned.

    Args:
        adapter: What looks at them.
        options: What it looks for.
        fields: Fields whose texts are scanned, texts inside lists and mappings too; `*` is every field but the id.
        replaces: Whether personal data is replaced.
        keep: Most violations to keep; the others are counted only.
    """

    adapter: GuardrailAdapter
    options: ScanOptions
    fields: tuple[str, ...]
    replaces: bool
    keep: int


class Clean(msgspec.Struct, frozen=True):
    """The examples of a source without the personal data that was found.

    Args:
        values: All of them, in order.
        texts: How many texts changed.
    """

    values: list[Any]
    texts: int


class Scanned:
    """What was found so far, in the order of the examples; `unread` are the sources without any text that was read."""

    def __init__(self) -> None:
        self.kept: list[Violation] = []
        self.first: Violation | None = None
        self.violations = 0
        self.items = 0
        self.texts = 0
        self.unread: list[str] = []
        self.by_rule: Counter[str] = Counter()
        self.by_category: Counter[str] = Counter()
        self.by_severity: Counter[str] = Counter()

    def add(self, violation: Violation, keep: int) -> None:
        """Count one more, and keep it if there are fewer than `keep`."""
        self.violations += 1
        self.by_rule[violation.rule] += 1
        self.by_category[violation.category] += 1
        self.by_severity[violation.severity] += 1
        self.first = self.first or violation
        if len(self.kept) < keep:
            self.kept.append(violation)


class _Passage(msgspec.Struct, frozen=True):
    """One text of an example."""

    index: int
    path: TextPath
    text: str


def scan_examples(examples: Examples, plan: Plan, scanned: Scanned) -> Clean | None:
    """Scan one source and add what is found to `scanned`.

    Returns:
        The source without personal data; None where none was replaced.

    Raises:
        ContractError: The adapter failed, or broke its agreement.
        Cancelled: The run was asked to stop.
    """
    changes: dict[int, dict[TextPath, str]] = {}
    ids: dict[int, str | None] = {}
    hit: set[int] = set()
    before = scanned.texts
    for batch in _batches(_passages(examples, plan.fields, ids)):
        check_cancelled()
        scanned.texts += len(batch)
        for passage, findings in zip(
            batch, scan_texts(plan.adapter, [each.text for each in batch], plan.options), strict=True
        ):
            for found in findings:
                scanned.add(_violation(examples.source, passage, ids.get(passage.index), found), plan.keep)
            if findings:
                hit.add(passage.index)
            clean = redact(passage.text, findings) if plan.replaces else passage.text
            if clean != passage.text:
                changes.setdefault(passage.index, {})[passage.path] = clean
    scanned.items += len(hit)
    if examples.values and scanned.texts == before:
        scanned.unread.append(examples.source)
    if not changes:
        return None
    values = [_changed(value, changes.get(index, {})) for index, value in enumerate(examples.values)]
    return Clean(values, sum(map(len, changes.values())))


def _batches(passages: Iterator[_Passage]) -> Iterator[list[_Passage]]:
    batch: list[_Passage] = []
    for passage in passages:
        batch.append(passage)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _passages(examples: Examples, fields: Sequence[str], ids: dict[int, str | None]) -> Iterator[_Passage]:
    for index, value in enumerate(examples.values):
        ids[index] = value.id if isinstance(value, Item) else row_id(value)
        for chosen, inner in _chosen(value, fields).items():
            for path, text in texts_in(inner, chosen):
                yield _Passage(index, path, text)


def _chosen(value: Any, fields: Sequence[str]) -> dict[TextPath, Any]:
    """Return what is scanned of an example, by path."""
    if isinstance(value, Item):
        return _chosen_of_item(value, fields)
    if not isinstance(value, Mapping):
        return {("value",): value}  # it has no fields that could be named, so all of it is looked at
    row = cast("Mapping[Any, Any]", value)
    if "*" in fields:
        return {(name,): inner for name, inner in row.items() if name != "id"}
    return {(name,): row[name] for name in fields if name in row}


def _chosen_of_item(item: Item, fields: Sequence[str]) -> dict[TextPath, Any]:
    own = {"id": item.id, "input": item.input, "expected": item.expected, "output": item.expected}
    if "*" in fields:
        return {("input",): item.input, ("expected",): item.expected, ("metadata",): item.metadata}
    found: dict[TextPath, Any] = {}
    for name in fields:
        if name in own:
            found["expected" if name == "output" else name,] = own[name]
        elif name == "metadata":
            found[name,] = item.metadata
        elif (key := name.removeprefix("metadata.")) in item.metadata:
            found["metadata", key] = item.metadata[key]
    return found


def _violation(source: str, passage: _Passage, own: str | None, found: Finding) -> Violation:
    return Violation(
        source=source,
        index=passage.index,
        id=own,
        field=path_words(passage.path),
        rule=found.rule,
        category=found.category,
        severity=found.severity,
        start=found.start,
        end=found.end,
        redacted=found.placeholder,
    )


def _changed(value: Any, texts: Mapping[TextPath, str]) -> Any:
    if not texts:
        return value
    if isinstance(value, Item):
        return Item(
            id=value.id,
            input=texts.get(("input",), value.input),
            expected=None if value.expected is None else texts.get(("expected",), value.expected),
            metadata=replace_texts(value.metadata, ("metadata",), texts),
        )
    return replace_texts(value, () if isinstance(value, Mapping) else ("value",), texts)

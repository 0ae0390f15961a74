"""Files that can be given away: users and sessions left out, or replaced by pseudonyms that a key makes.

What identifies somebody is known by the name of its key, wherever it stands. Every id that was seen so is then replaced
in all other texts too; an id may come up in a text before its own event, so records are read once before the first is
handed on. That is no proof of anonymity: a name that stands in free text only, or an id in another spelling, stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.store import StoredEvent
from crucible.telemetry.exports.identities import IDENTITY_NAMES, LONG, IdentityNames, KnownIds, words_of
from crucible.telemetry.exports.payload import plain, settled_record
from crucible.telemetry.exports.source import Source, Sources
from crucible.telemetry.exports.spool import Spool

__all__ = ["REMOVED", "Anonymizer", "Mode", "anonymized"]

Mode = Literal["drop", "hash"]

REMOVED = "[removed]"
"""What stands in a text for an id that was dropped."""

_MODES = ("drop", "hash")
_DIGITS = 16
_GONE = object()
_TEXTS = ("name", "stage", "span_id", "parent_span_id", "run_id", "event_id", "correlation_id", "condition")


class Anonymizer:
    """Hides who was there. Remembers the ids that it met, so that points written after the events are cleaned too.

    Args:
        mode: `drop` leaves the fields out; `hash` replaces each id by the first 16 hex digits of its HMAC-SHA256, the
            same in every file that is written with the same key.
        key: Secret of `hash`; it is never written. Who knows it can test a guess at an id, so make it long and random.
        names: Names of the fields, in any spelling, such as `(*IDENTITY_NAMES, "email", "ip")`.

    Raises:
        SpecError: The mode is unknown, `hash` has no key, or a name is empty.
    """

    def __init__(
        self, mode: Mode = "drop", *, key: str | bytes | None = None, names: Iterable[str] = IDENTITY_NAMES
    ) -> None:
        if mode not in _MODES:
            hint = did_you_mean(str(mode), _MODES)
            raise SpecError(f'the mode {mode!r} is neither "drop" nor "hash"{hint}', path="mode", code="choice")
        if mode == "hash" and not key:
            raise SpecError(
                "hashing ids needs a key, or everybody can guess them: pass a secret text", path="key", code="required"
            )
        names = tuple(names)
        if isinstance(names, str) or not all(words_of(name) for name in names):
            raise SpecError(f"{names!r} holds a name without a letter", path="names", code="value")
        self.mode: Mode = mode
        self._key = key.encode() if isinstance(key, str) else key or b""
        self._names = IdentityNames(names)
        self._known = KnownIds()

    def __repr__(self) -> str:
        return f"Anonymizer({self.mode!r})"

    @contextlib.contextmanager
    def apply(self, records: Iterable[StoredEvent], folder: Path) -> Generator[Iterator[StoredEvent]]:
        """Hand on records without ids, once all were read and every id in them is known.

        Args:
            records: The events; they are kept meanwhile in a file without a name, which is gone with the block.
            folder: Where that file takes its space.

        Raises:
            StoreError: The disk is full.
        """
        with Spool(folder) as spool:
            for record in records:
                settled = settled_record(record)
                self._learn(settled)
                spool.add(msgspec.structs.astuple(settled))
            yield (self._without_ids(StoredEvent(*row)) for row in spool.rows())

    def learn(self, records: Iterable[StoredEvent]) -> None:
        """Remember the ids in these records."""
        for record in records:
            self._learn(settled_record(record))

    def record(self, record: StoredEvent) -> StoredEvent:
        """Return a record without ids; ids in its texts are those that it has itself or that were learned before."""
        settled = settled_record(record)
        self._learn(settled)
        return self._without_ids(settled)

    def _without_ids(self, record: StoredEvent) -> StoredEvent:
        changes: dict[str, Any] = {name: self.text(getattr(record, name)) for name in _TEXTS}
        for section in ("metadata", "fields"):
            changes[section] = self._hidden(getattr(record, section), (), self._number)
        changes["measurements"] = self._hidden(record.measurements, (), _same)
        return msgspec.structs.replace(record, **changes)

    def source(self, source: Source) -> Source:
        """Return a source whose texts hold no id that was met."""
        tags = tuple(self.text(tag) for tag in source.tags)
        return Source(self.text(source.experiment_id), self.text(source.experiment_name), tags)

    def value(self, value: Any) -> Any:
        """Return a value, such as the metadata of an experiment, without ids in it."""
        settled = plain(value)
        self._find(settled, ())
        return self._hidden(settled, (), self._number)

    def text(self, text: Any) -> Any:
        """Return a text in which the ids that were met are replaced; anything else as it is."""
        return self._known.replaced(text) if isinstance(text, str) else text

    def pseudonym(self, known: Any) -> str:
        """Return what stands for an id: of a number the same as of its digits."""
        if self.mode == "drop":
            return REMOVED
        return hmac.new(self._key, _spelt(known).encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:_DIGITS]

    def _learn(self, record: StoredEvent) -> None:
        for values in (record.metadata, record.fields, record.measurements):
            if values:
                self._find(values, ())

    def _find(self, value: Any, words: tuple[str, ...]) -> None:
        """Remember the ids in a value that stands under these words."""
        is_dict = value.__class__ is dict
        if not is_dict and value.__class__ is not list:
            return
        for key, inner in value.items() if is_dict else ((None, each) for each in value):
            below = words + words_of(key) if is_dict else words
            if is_dict and self._names.means(below, is_container=isinstance(inner, (dict, list))):
                self._remember(inner)
            else:
                self._find(inner, below)

    def _remember(self, value: Any) -> None:
        if isinstance(value, dict):
            value = list(cast("dict[str, Any]", value).values())
        if isinstance(value, list):
            for inner in cast("list[Any]", value):
                self._remember(inner)
        elif _is_id(value):
            self._known.add(_spelt(value), self.pseudonym(value))

    def _hidden(self, value: Any, words: tuple[str, ...], other: Callable[[Any], Any]) -> Any:
        """Return a value without ids; `other` is asked what becomes of a number."""
        match value:
            case dict():
                return self._hidden_dict(cast("dict[str, Any]", value), words, other)
            case list():
                return [self._hidden(inner, words, other) for inner in cast("list[Any]", value)]
            case str():
                return self._known.replaced(value)
            case _:
                return other(value)

    def _hidden_dict(self, value: dict[str, Any], words: tuple[str, ...], other: Callable[[Any], Any]) -> Any:
        hidden: dict[str, Any] = {}
        for key, inner in value.items():
            below = words + words_of(key)
            if self._names.means(below, is_container=isinstance(inner, (dict, list))):
                settled = self._substitute(inner)
            else:
                settled = self._hidden(inner, below, other)
            if settled is not _GONE:
                hidden[_free(self._key_text(key), hidden)] = settled
        return hidden

    def _substitute(self, value: Any) -> Any:
        """Return what stands for the value of a field that identifies somebody."""
        if self.mode == "drop":
            return _GONE
        match value:
            case dict():
                pairs = cast("dict[str, Any]", value).items()
                return {self._key_text(key): self._substitute(inner) for key, inner in pairs}
            case list():
                return [self._substitute(inner) for inner in cast("list[Any]", value)]
            case _:
                return self.pseudonym(value) if _is_id(value) else value

    def _key_text(self, key: str) -> str:
        return self._known.replaced(key, is_key=True)

    def _number(self, value: Any) -> Any:
        if value.__class__ is int and len(spelt := str(value)) >= LONG and spelt in self._known:
            return self.pseudonym(value)
        return value


def _is_id(value: Any) -> bool:
    return value is not None and value != "" and not isinstance(value, bool)


def _same(value: Any) -> Any:
    """Return a measured number as it is: that it equals somebody's number is chance."""
    return value


def _spelt(known: Any) -> str:
    if isinstance(known, float) and known.is_integer():
        known = int(known)
    return str(known)


def _free(key: str, taken: Mapping[str, Any]) -> str:
    name, n = key, 1
    while name in taken:
        n += 1
        name = f"{key} {n}"
    return name


@contextlib.contextmanager
def anonymized(
    records: Iterable[StoredEvent], source: Sources, anonymizer: Anonymizer | None, folder: Path
) -> Generator[tuple[Iterable[StoredEvent], Sources]]:
    """Hand on records and their source as a file may hold them; without an anonymiser, as they are.

    Args:
        records: The events.
        source: Whose they are.
        anonymizer: Hides ids, or None.
        folder: Where `Anonymizer.apply` takes space.
    """
    if anonymizer is None:
        yield records, source
        return
    with anonymizer.apply(records, folder) as hidden:
        if source is None or isinstance(source, Source):
            yield hidden, source and anonymizer.source(source)
        else:
            yield hidden, {anonymizer.text(run_id): anonymizer.source(each) for run_id, each in source.items()}

"""Files that can be given away: users and sessions left out, or replaced by pseudonyms that a key makes.

What identifies somebody is known by the name of its key, wherever it stands. Every id that was seen so is then replaced
in all other texts and keys too; an id may come up in a text before its own event, so records are read once before the
first is handed on. That is no proof of anonymity: a name in free text only, an id in another spelling, one whose name
stands beside it (`{"name": "user_id", "value": "ada"}`) or within a text of JSON, stays.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.store import StoredEvent
from crucible.telemetry.exports.hiding import REMOVED, Hiding
from crucible.telemetry.exports.identities import IDENTITY_NAMES, words_of
from crucible.telemetry.exports.payload import plain, settled_record
from crucible.telemetry.exports.source import Source, Sources
from crucible.telemetry.exports.spool import Spool

__all__ = ["REMOVED", "Anonymizer", "Mode", "anonymized"]

Mode = Literal["drop", "hash"]

_MODES = ("drop", "hash")
_TEXTS = ("name", "stage", "span_id", "parent_span_id", "run_id", "event_id", "correlation_id", "condition")
_SEPARATOR = re.compile("[:=]")


class Anonymizer:
    """Hides who was there. Remembers the ids that it met, so that points written after the events are cleaned too.

    Args:
        mode: `drop` leaves the fields out; `hash` replaces each id by the first 16 hex digits of its HMAC-SHA256, the
            same in every file that is written with the same key.
        key: Secret of `hash`; it is never written. Who knows it can test a guess at an id, so make it long and random.
        names: Names of the fields, in any spelling, such as `(*IDENTITY_NAMES, "email", "ip")`. Where `user` holds what
            a user said, as in a chat, give names without it: such a text is hidden, and one of three words or fewer is
            taken for an id and looked for everywhere.

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
        secret = key.encode() if isinstance(key, str) else key or b""
        self._hiding = Hiding(names, secret if mode == "hash" else None)

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

    def learn(self, records: Iterable[StoredEvent] = (), *, about: Any = None, tags: Iterable[str] = ()) -> None:
        """Remember the ids in these records, and in what is known of their experiment.

        Args:
            records: Events, read once.
            about: A value whose keys tell what identifies, such as the metadata of an experiment.
            tags: Words such as `user:ada` or `user=ada`, of which the first part says what the second is.
        """
        for record in records:
            self._learn(settled_record(record))
        self._hiding.find(plain(about))
        self._hiding.find([_tagged(tag) for tag in tags])

    def record(self, record: StoredEvent) -> StoredEvent:
        """Return a record without ids; ids in its texts are those that it has itself or that were learned before."""
        settled = settled_record(record)
        self._learn(settled)
        return self._without_ids(settled)

    def _without_ids(self, record: StoredEvent) -> StoredEvent:
        changes: dict[str, Any] = {name: self.text(getattr(record, name)) for name in _TEXTS}
        for section in ("metadata", "fields"):
            changes[section] = self._hiding.hidden(getattr(record, section))
        changes["measurements"] = self._hiding.hidden(record.measurements, is_measured=True)
        return msgspec.structs.replace(record, **changes)

    def source(self, source: Source) -> Source:
        """Return a source whose texts hold no id that was met, and none that its tags tell."""
        self.learn(tags=source.tags)
        tags = tuple(self.text(tag) for tag in source.tags)
        return Source(self.text(source.experiment_id), self.text(source.experiment_name), tags)

    def value(self, value: Any) -> Any:
        """Return a value, such as the metadata of an experiment, without ids in it."""
        settled = plain(value)
        self._hiding.find(settled)
        return self._hiding.hidden(settled)

    def text(self, text: Any) -> Any:
        """Return a text in which the ids that were met are replaced; anything else as it is."""
        return self._hiding.text(text)

    def pseudonym(self, known: Any) -> str:
        """Return what stands for an id: of a number the same as of its digits."""
        return self._hiding.pseudonym(known)

    def _learn(self, record: StoredEvent) -> None:
        for values in (record.metadata, record.fields, record.measurements):
            if values:
                self._hiding.find(values)


def _tagged(tag: str) -> dict[str, str]:
    key, *values = _SEPARATOR.split(tag, maxsplit=1)
    return {key: values[0].strip()} if values else {}


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
            for each in source.values():
                anonymizer.learn(tags=each.tags)
            yield hidden, {anonymizer.text(run_id): anonymizer.source(each) for run_id, each in source.items()}

"""Reading a text: `parse`, and the events of one answer or several as a chain."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from crucible.trace.chain import Chain
from crucible.trace.event import Event, new_id
from crucible.trace.parsing.assembling import Assembler
from crucible.trace.parsing.comments import metadata_of
from crucible.trace.parsing.issue import ParseIssue, Reports
from crucible.trace.parsing.outline import Outline
from crucible.trace.parsing.outliner import outline_of

__all__ = ["Parsed", "extract_metadata", "parse", "parse_to_chain", "validate_events"]

_LISTED_ISSUES = 100


class Parsed(msgspec.Struct, frozen=True):
    """What a text says.

    Args:
        events: In the order of their opening tags; ids are as written, so they may repeat.
        issues: By their place in the text.
        metadata: What comments say of the whole, such as `model`.
    """

    events: list[Event]
    issues: list[ParseIssue]
    metadata: dict[str, str]


def parse(text: str) -> Parsed:
    """Read the events out of an LLM's answer; never raises, takes time in proportion to the text.

    An event is `<event type="…">` with the fields of `Event` as tags or attributes, anywhere in prose or Markdown.
    Attributes may stand in any order and quotes, names in any case; text may hold character references and CDATA.
    An event inside another one has that as its parent. What is cut off or not closed is kept with what it has, and
    does not swallow the event after it. A type that is unknown is kept as written, one that is missing is `untyped`,
    and a confidence that is not understood is None; each with an issue. An event without a time has that of parsing,
    one without an id a fresh one.

    An empty tag says what its `id`, `ref`, `value` or `name` does; other attributes of field tags go to the metadata,
    as does what is no field, and what is given there twice becomes a list. Of optional fields, `null`, `none` and `n/a`
    count as unsaid.

    No events are: tags in `<code>` and `<code_section>`, in closed fences marked as a programming language (or in one
    that is not known, with more in them than events), in comments and CDATA, and single tags between backticks.

    Args:
        text: Any text.
    """
    reports = Reports(text)
    outline = outline_of(text, reports)
    return _parsed(outline, reports)


def _parsed(outline: Outline, reports: Reports, earlier: Collection[str] = ()) -> Parsed:
    events = Assembler(outline, reports, earlier).events()
    places = {id(frame): place for place, frame in enumerate(outline.events)}
    return Parsed(events, reports.issues(places), metadata_of(outline))


def validate_events(text: str) -> list[ParseIssue]:
    """Return what is wrong with the events of a text: tags, fields, values and references, each with its place."""
    return parse(text).issues


def extract_metadata(text: str) -> dict[str, str]:
    """Return what comments say of a text as a whole, such as `<!-- model: … -->` and `<!-- timestamp: … -->`.

    Values are text as written; comments with other keys are left alone (`comments.KNOWN`).
    """
    return metadata_of(outline_of(text, Reports(text)))


def parse_to_chain(
    text: str | Iterable[str],
    name: str,
    *,
    description: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Chain:
    """Read an answer, or the answers of several rounds, into a chain.

    Ids need to be distinct only within one answer. One that is taken already is replaced by a fresh one, and what that
    answer's events say of it is changed with it; an answer may refer to events of earlier ones. In the chain's metadata
    stand what the answers' comments say, the later over the earlier, and under `parse_issues` the first hundred issues.

    Args:
        text: The answer; several in the order in which they were given.
        name: The chain's name.
        description: In more words.
        metadata: For the chain; it comes before what the comments say.
    """
    chain = Chain(name, description=description)
    said: dict[str, Any] = {}
    issues: list[dict[str, Any]] = []
    count = 0
    earlier: set[str] = set()
    for place, answer in enumerate([text] if isinstance(text, str) else text):
        reports = Reports(answer)
        outline = outline_of(answer, reports)
        parsed = _parsed(outline, reports, earlier)
        said |= parsed.metadata
        for event in _distinct(parsed.events, outline, chain):
            chain.add(event)
            earlier.add(event.id)
        count += len(parsed.issues)
        issues += [_as_record(issue, place) for issue in parsed.issues[: _LISTED_ISSUES - len(issues)]]
    if issues:
        said |= {"parse_issues": issues, "parse_issue_count": count}
    chain.metadata.update({**said, **(metadata or {})})
    return chain


def _distinct(events: list[Event], outline: Outline, chain: Chain) -> list[Event]:
    """Give events ids that no other has, in the chain or among themselves; links lead where they did."""
    written = {id(frame): event.id for event, frame in zip(events, outline.events, strict=True)}
    replaced: dict[str, str] = {}  # by the id as written, which stands for the first event that has it
    ids: dict[int, str] = {}
    for key, identity in written.items():
        is_free = identity not in replaced and chain.get(identity) is None
        ids[key] = identity if is_free else new_id()
        replaced.setdefault(identity, ids[key])
    found: list[Event] = []
    for event, frame in zip(events, outline.events, strict=True):
        parent_id = None if event.parent_id is None else replaced.get(event.parent_id, event.parent_id)
        around = frame.parent
        if around is not None and around.is_closed and event.parent_id == written.get(id(around)):
            parent_id = ids[id(around)]  # of two events with one id, the one around it
        depends_on = tuple(replaced.get(word, word) for word in event.depends_on)
        found.append(msgspec.structs.replace(event, id=ids[id(frame)], parent_id=parent_id, depends_on=depends_on))
    return found


def _as_record(issue: ParseIssue, answer: int) -> dict[str, Any]:
    return {
        "kind": issue.kind,
        "message": issue.message,
        "answer": answer,
        "line": issue.line,
        "column": issue.column,
    }

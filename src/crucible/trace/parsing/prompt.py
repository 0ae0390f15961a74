"""The prompt that asks an LLM to give its reasons as events: `build_causal_prompt`.

The vocabulary is read from the registry when the prompt is made, so that types a user registered are taught, too. The
worked example is written by `to_tags` and read by a test.
"""

from __future__ import annotations

from collections.abc import Iterable

from crucible.errors import SpecError
from crucible.trace.vocabulary import EventType, canonical_type, event_type, event_types, title_of, unknown_type_message

__all__ = ["build_causal_prompt"]

_FORMAT = """\
IMPORTANT: For each significant decision that you make, emit an event that says what you decided, what else you \
weighed, why, and how sure you are. Emit it when you decide, before the code that follows from it.

## How to write an event

An event begins with the tag `<event type="…" id="…">` and ends with the tag `</event>`. Between them stand these \
tags, each closed before the next one begins:

- `decision` (required): what you decided or found, in one sentence.
- `reasoning` (required): why.
- `alternatives`: what you weighed and did not choose, each in a tag `alternative` of its own.
- `confidence`: a number from 0 to 1, such as 0.85. Leave it out if you do not know; do not guess.
- `code_section`: the function, class or file that the event concerns.
- `spec_reference`: the requirement that it concerns.
- `depends_on`: the ids of the events that this one rests on, with commas between.
- `parent_id`: the id of the event that this one is a part of.
- `stage_id`, `experiment_id`: where it happened, if you were told.
- `metadata`: a JSON object with anything else.

Give every event an id that no other has (`e1`, `e2`, …), and refer only to events that you emit. Write `&lt;`, `&gt;` \
and `&amp;` for the characters <, > and & in text. Close every tag, and put no events into comments or code.
"""

_CODE = """\
## Where to put the code

Put the whole program, and nothing else, between the tags `<code>` and `</code>`, after the events that led to it.

## What to explain

Ensure that you emit events for:

1. Architecture: how you divide the work, and which patterns you apply.
2. Data structures and algorithms: what you choose, and what it costs.
3. API design: names, signatures, and what callers may rely on.
4. Error handling: what may go wrong, and what happens then.
5. Performance versus clarity: where you trade one for the other.
"""

_EXAMPLE = """\
## An example

<event type="{first}" id="e1">
  <decision>Answers can be kept in memory</decision>
  <alternatives>
    <alternative>Redis, on a machine of its own</alternative>
    <alternative>no cache</alternative>
  </alternatives>
  <reasoning>There are at most 10,000 of them, each &lt; 1 KB.</reasoning>
  <spec_reference>Section 2: answers within 50 ms</spec_reference>
</event>
<event type="{second}" id="e2">
  <decision>Drop the answer that was used least recently</decision>
  <alternatives>
    <alternative>drop the oldest</alternative>
  </alternatives>
  <reasoning>The same few questions are asked again and again.</reasoning>
  <confidence>0.8</confidence>
  <code_section>Cache</code_section>
  <depends_on>e1</depends_on>
  <metadata>{{"size": 10000}}</metadata>
</event>

<code>
class Cache:
    \"\"\"The last `size` answers.\"\"\"
</code>
"""


def build_causal_prompt(spec: str, *, types: Iterable[str] | None = None, examples: bool = True) -> str:
    """Return a prompt: the task first, then how to give reasons as events.

    Args:
        spec: The task, in plain text; it comes first and as it is.
        types: Names, aliases or categories of the types to teach; None teaches all that are registered.
        examples: Whether to add a worked example; `parse` reads it without an issue.

    Raises:
        SpecError: A word of `types` is neither a type nor a category.
    """
    taught = _taught(types)
    parts = [_FORMAT, _vocabulary(taught), _CODE]
    if examples:
        parts.append(_example(taught))
    return "\n\n".join(part.strip("\n") for part in ([spec] if spec.strip() else []) + parts) + "\n"


def _taught(types: Iterable[str] | None) -> list[EventType]:
    known = event_types()
    if types is None:
        return list(known)
    wanted = [types] if isinstance(types, str) else list(types)
    categories = {entry.category for entry in known}
    for word in wanted:
        if word not in categories and event_type(word) is None:
            groups = ", ".join(sorted(categories))
            message = f"{unknown_type_message(word)}; expected a type or one of the categories {groups}"
            raise SpecError(message, path="types", code="unknown")
    names = {canonical_type(word) for word in wanted}
    taught = [entry for entry in known if entry.name in names or entry.category in names]
    if not taught:
        raise SpecError(
            "types is empty; give a type or a category, or None for all of them", path="types", code="empty"
        )
    return taught


def _vocabulary(taught: list[EventType]) -> str:
    groups: dict[str, list[EventType]] = {}
    for entry in taught:
        groups.setdefault(entry.category, []).append(entry)
    lines = ["## Which types there are", "", "Use the type that fits best, spelled as here."]
    for category, entries in groups.items():
        lines += ["", f"### {title_of(category)}", ""]
        lines += [f"- `{entry.name}`: {' '.join(entry.meaning.split())}" for entry in entries]
    return "\n".join(lines)


def _example(taught: list[EventType]) -> str:
    names = [entry.name for entry in taught]
    first = "hypothesis_formed" if "hypothesis_formed" in names else names[0]
    second = "decision_made" if "decision_made" in names else names[-1]
    return _EXAMPLE.format(first=first, second=second)

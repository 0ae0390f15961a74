"""Yes or no, true or false: what an answer says, denials read as denials, and nothing where it says neither or both."""

from __future__ import annotations

import re

from crucible.data.final_answer import answered_part, declared_answers
from crucible.data.items import Item
from crucible.data.scoring.scorer import NO_ANSWER, bounded
from crucible.ir import Failed, Outcome, Scored

__all__ = ["boolean_match", "read_boolean"]

_YES = "yes|yeah|yep|yup|true|correct|affirmative"
_NO = "nope|nah|false|incorrect|wrong|untrue"
_DRESS = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s*\{|[*_$`\"{}“”]+")
_UNSURE = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|unsure|uncertain|unclear|unknown|depends|neither|sometimes|partly|partially"
    r"|not (?:sure|certain|necessarily|clear|known|enough)|(?:do not|don't|cannot|can't) (?:know|say|tell|determine)"
    r"|(?:hard|difficult|impossible) to (?:know|say|tell|determine)"
    r"|no (?:idea|clue|way to (?:know|tell)))\b"
)
_LEADING = re.compile(
    rf"""
    [^\w]*
    (?: not\s+(?:\w+ly\s+)?(?: (?P<not_yes>true|correct|right|so|really|at\s+all)
                             | (?P<not_no>false|incorrect|wrong|untrue) )\b
      | (?P<yes>{_YES})\b
      | (?P<right>right|sure)(?=\s*(?:[.,;:!]|$))
      | (?P<no>{_NO})\b
      | (?P<bare_no>no)(?=\s*(?:[^\w\s]|$)|\s+(?:it|that|this|they|he|she|we|i|you|the|there|because|since|not)\b)
    )
    """,
    re.VERBOSE,
)
_ALSO = re.compile(rf"\W*(?:and|or|but|/|&)\s+(?:also\s+)?(?:{_YES}|{_NO}|no)\b|\s*/\s*(?:{_YES}|{_NO}|no)\b")
_SAID = re.compile(
    r"\b(?:is|was|are|were|be|it's|that's)(?P<negated>n't|\s+not)?\s+(?:(?:\w+ly|quite|so)\s+)?"
    r"(?P<word>true|false|correct|incorrect|right|wrong|untrue)\b(?P<that>\s+that\b)?"
)
_NOT_CLAIMED = re.compile(  # "if it is true", "some say that it is true"
    r"\b(?:if|whether|unlikely|hardly|barely|rarely|seldom|never|wish|suppose|assume|some|people|would be|far from)\b"
    r"[^.!?;\n]*$"
)
_READ = 1000  # characters


def read_boolean(text: str) -> bool | None:
    r"""Return what an answer to a yes-or-no question says, or None if it says neither, both, or that it does not know.

    In this order: the word where the text says that its answer is (`####`, `\boxed{…}`, `answer is`); the word that it
    begins with (`No, yes would be wrong` is no; `Not true` is no); what it says of the matter (`That is incorrect`),
    where it says so once, or always the same.
    """
    text = answered_part(text)
    for how, span in declared_answers(text):
        found = _read(span)
        if found is not None or how == "boxed":
            return found
    return _read(text)


def _read(text: str) -> bool | None:
    text = _DRESS.sub("", text).replace("’", "'").casefold().strip()[:_READ]
    first_sentence = re.split(r"[.!?\n]", text, maxsplit=1)[0]
    if _UNSURE.search(first_sentence):
        return None
    match = _LEADING.match(text)
    if match is not None:
        if _ALSO.match(text, match.end()):
            return None
        return match.lastgroup in ("yes", "right", "not_no")
    said = list(_SAID.finditer(text))
    if any(_NOT_CLAIMED.search(text, 0, each.start("word")) for each in said):
        return None
    if len(said) > 1 and any(each["that"] for each in said):
        return None  # "it is not true that this is wrong"
    verdicts = {(each["word"] in ("true", "correct", "right")) != bool(each["negated"]) for each in said}
    return verdicts.pop() if len(verdicts) == 1 else None


@bounded(0.0, 1.0)
def boolean_match(item: Item, output: str) -> Outcome:
    """Score 1.0 if the answer says the same of yes and no (true and false) as the expected one, else 0.0.

    Args:
        item: Skipped without an expected answer; failed where that is neither.
        output: The model's answer; one that says neither, or both, is 0.0; see `read_boolean`.
    """
    if item.expected is None:
        return NO_ANSWER
    wanted = read_boolean(item.expected)
    if wanted is None:
        return Failed(f'the expected answer "{item.expected:.40}" is neither yes nor no')
    return Scored(float(read_boolean(output) is wanted))

"""Claims and relations as answers write them: in lines, or as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

import msgspec

from crucible.data.records import parse_record

__all__ = ["Argument", "Claim", "Relation", "read_argument"]

_CLAIM = re.compile(r"^[ \t>*-]*CLAIM\[([\w.-]{1,64})\][ \t]*:[ \t]*(.*)$", re.MULTILINE)
_RELATION = re.compile(
    r"^[ \t>*-]*RELATION[ \t]*:[ \t]*([\w.-]{1,64})[ \t]+(\w{1,64})[ \t]+([\w.-]{0,63}[\w-])", re.MULTILINE
)
_BETWEEN = r"(?:[ \t]*[,;](?:[ \t]*and[ \t]+)?[ \t]*|[ \t]+and[ \t]+)"
_CITING = re.compile(rf"\bciting[ \t]+([\w.:#/-]+(?:{_BETWEEN}[\w.:#/-]+)*)", re.IGNORECASE)
_BRACKETS = re.compile(r"\[([^\[\]\n]{1,300})\](?!\()")
_ID = re.compile(r"[\w.:#/-]*\d[\w.:#/-]*")


class Claim(msgspec.Struct, frozen=True):
    """One claim.

    Attributes:
        id: What relations call it.
        text: What it says.
        citations: Ids of the sources that it names, each once, in order.
    """

    id: str
    text: str
    citations: tuple[str, ...] = ()


class Relation(msgspec.Struct, frozen=True):
    """How one claim stands to another.

    Attributes:
        source: The claim that does it.
        kind: What it does, in lower case, such as `supports` or `refutes`.
        target: The claim that it does it to.
    """

    source: str
    kind: str
    target: str


class Argument(msgspec.Struct, frozen=True):
    """The claims of an answer and how they stand to each other.

    Attributes:
        claims: In order; of two with one id, the first.
        relations: Between claims that are there.
        dangling: Relations of a claim that is not there.
    """

    claims: tuple[Claim, ...]
    relations: tuple[Relation, ...] = ()
    dangling: tuple[Relation, ...] = ()

    @property
    def citations(self) -> tuple[str, ...]:
        """Ids of all sources that the claims name, each once."""
        return tuple(dict.fromkeys(cited for claim in self.claims for cited in claim.citations))

    def edges(self, kind: str = "supports") -> list[tuple[str, str]]:
        """Return (source, target) of the relations of one kind, each pair once."""
        return list(dict.fromkeys((each.source, each.target) for each in self.relations if each.kind == kind))


def read_argument(text: str) -> Argument:
    """Return the claims and relations of an answer; an answer without any has none.

    In lines, `CLAIM[c2]: Zinc shortens colds (citing doc-3, doc-7)` and `RELATION: c2 supports c1`; sources may also
    stand in brackets, `[doc-3]`. Or the whole answer is a JSON object with `claims`, each with `id`, `text` and
    perhaps `citations`, and `relations`, each with `source`, `kind` and `target`. What is of another form is left out:
    in lines a source holds a digit, so that `citing the literature` names none.

    Args:
        text: The answer.
    """
    record = parse_record(text)
    if isinstance(record, dict) and "claims" in record:
        return _of_record(cast("dict[str, Any]", record))
    claims = [Claim(name, said.strip(), _cited(said)) for name, said in _CLAIM.findall(text)]
    return _argument(
        claims, (Relation(source, kind.lower(), target) for source, kind, target in _RELATION.findall(text))
    )


def _argument(claims: Iterable[Claim], relations: Iterable[Relation]) -> Argument:
    by_id: dict[str, Claim] = {}
    for claim in claims:
        by_id.setdefault(claim.id, claim)
    fitting: list[Relation] = []
    dangling: list[Relation] = []
    for relation in dict.fromkeys(relations):
        (fitting if relation.source in by_id and relation.target in by_id else dangling).append(relation)
    return Argument(tuple(by_id.values()), tuple(fitting), tuple(dangling))


def _cited(said: str) -> tuple[str, ...]:
    found: list[str] = []
    for group in _CITING.findall(said):
        found += [each for each in re.split(_BETWEEN, group, flags=re.IGNORECASE) if _ID.fullmatch(each)]
    for group in _BRACKETS.findall(said):
        found += [each.strip() for each in re.split(r"[,;]", group) if _ID.fullmatch(each.strip())]
    return tuple(dict.fromkeys(each.rstrip(".") for each in found))


def _of_record(record: dict[str, Any]) -> Argument:
    claims = [
        Claim(str(each["id"]), str(each.get("text", "")), tuple(dict.fromkeys(map(str, _list(each.get("citations"))))))
        for each in _objects(record.get("claims"))
        if isinstance(each.get("id"), (str, int))
    ]
    relations = [
        Relation(str(each["source"]), str(each["kind"]).lower(), str(each["target"]))
        for each in _objects(record.get("relations"))
        if each.keys() >= {"source", "kind", "target"}
    ]
    return _argument(claims, relations)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [cast("dict[str, Any]", each) for each in _list(value) if isinstance(each, dict)]


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []

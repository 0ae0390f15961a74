"""What a model, a tag, a metric and a file of a version may be called, and how a person names one version.

Names come from documents, command lines and imported files that anybody may have written, so each is checked before it
becomes a row or a path.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final, Literal, cast, get_args

from crucible.errors import SpecError
from crucible.ir import did_you_mean

__all__ = [
    "RELATIONS",
    "STAGES",
    "ModelStage",
    "Relation",
    "check_metrics",
    "check_model",
    "check_moment",
    "check_paths",
    "check_relation",
    "check_sha256",
    "check_short",
    "check_stage",
    "check_tags",
    "split_reference",
]

ModelStage = Literal["development", "staging", "production", "archived"]
"""How far a version has come."""

Relation = Literal["fine_tuned_from", "distilled_from", "rl_trained_from", "dpo_trained_from", "merged_from"]
"""How a version came of another one."""

STAGES: Final[tuple[str, ...]] = get_args(ModelStage)
RELATIONS: Final[tuple[str, ...]] = get_args(Relation)
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TAG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=-]{0,63}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LONGEST_METRIC: Final = 200
_LONGEST_PATH: Final = 500
_LONGEST_KEY: Final = 500  # PostgreSQL keeps no longer text in an index


def check_model(name: object) -> str:
    """Return the name of a model.

    Raises:
        SpecError: It cannot be one.
    """
    if not isinstance(name, str) or not _MODEL.fullmatch(name):
        raise SpecError(
            f"{name!r:.140} cannot name a model; use letters, digits, '.', '_' and '-', the first a letter or digit, "
            "128 at most",
            code="name",
        )
    return name


def check_tags(tags: Iterable[object]) -> tuple[str, ...]:
    """Return tags, sorted, each once.

    Raises:
        SpecError: One cannot be a tag.
    """
    if isinstance(tags, str):
        raise SpecError(f"tags must be a list of words, got the text {tags!r:.80}; write [{tags!r:.80}]", code="tag")
    found: set[str] = set()
    for tag in tags:
        if not isinstance(tag, str) or not _TAG.fullmatch(tag):
            raise SpecError(
                f"{tag!r:.80} cannot be a tag; use letters, digits and any of . _ : / = -, the first a letter or "
                "digit, 64 at most",
                code="tag",
            )
        found.add(tag)
    return tuple(sorted(found))


def check_metrics(metrics: Mapping[Any, Any]) -> dict[str, float]:
    """Return measurements as finite numbers by name.

    Raises:
        SpecError: A name is none, or a value is no finite number.
    """
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_METRIC or not name.isprintable():
            raise SpecError(f"{name!r:.80} cannot name a metric; use 1 to 200 printable characters", code="metric")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
            raise SpecError(
                f"the metric {name} is {value!r:.80}; a metric is a finite number: leave out what was not measured",
                code="metric",
            )
        found[name] = float(value)
    return found


def check_paths(paths: Iterable[object]) -> None:
    """Refuse paths that could lead out of a version's own folder, or could not lie in one folder together.

    Raises:
        SpecError: The first such path.
    """
    known: set[str] = set()
    for path in paths:
        parts = path.split("/") if isinstance(path, str) else []
        is_plain = isinstance(path, str) and 0 < len(path) <= _LONGEST_PATH and path.isprintable() and "\\" not in path
        if not is_plain or any(part in ("", ".", "..") or ":" in part for part in parts):
            raise SpecError(
                f"{path!r:.140} cannot be a file of a model; paths are relative, of printable characters, with '/' "
                "between parts, and without '..', ':' and '\\'",
                code="path",
            )
        if path in known:
            raise SpecError(f"{path!r:.140} is listed twice among the files of a model", code="path")
        known.add(cast("str", path))
    for path in known:
        if above := {str(parent) for parent in PurePosixPath(path).parents} & known:
            raise SpecError(f"{min(above)!r:.140} is a file and the folder of {path!r:.140}", code="path")


def check_moment(moment: object) -> str:
    """Return a moment as it was written.

    Raises:
        SpecError: It is no ISO 8601 with a time zone.
    """
    try:
        is_moment = isinstance(moment, str) and datetime.fromisoformat(moment).tzinfo is not None
    except ValueError:
        is_moment = False
    if not is_moment:
        raise SpecError(
            f"{moment!r:.80} is no moment; expected ISO 8601 with a time zone, such as 2026-11-21T09:30:00+00:00",
            code="moment",
        )
    return cast("str", moment)


def check_short(what: str, text: str | None) -> str | None:
    """Return a text that the database looks versions up by.

    Raises:
        SpecError: It is longer than 500 characters.
    """
    if text is not None and len(text) > _LONGEST_KEY:
        raise SpecError(
            f"{what} {text[:40]!r}… has {len(text)} characters; {_LONGEST_KEY} at most: use a name or a digest of it",
            code="key",
        )
    return text


def check_sha256(digest: object) -> str:
    """Return a hex SHA-256.

    Raises:
        SpecError: It is none.
    """
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise SpecError(f"{digest!r:.80} is no SHA-256; expected 64 small hexadecimal digits", code="sha256")
    return digest


def check_stage(stage: object) -> ModelStage:
    """Return a stage.

    Raises:
        SpecError: There is none of that name.
    """
    return cast("ModelStage", _word("stage", stage, STAGES))


def check_relation(relation: object) -> Relation:
    """Return a relation between versions.

    Raises:
        SpecError: There is none of that name.
    """
    return cast("Relation", _word("relation", relation, RELATIONS))


def split_reference(text: str) -> tuple[str, str | None]:
    """Return the model that a reference such as `triage@1.2.0`, `triage@production` or `triage` names, and which of it.

    Returns:
        The model's name; a version, a stage, `latest`, or None where nothing is said.

    Raises:
        SpecError: It names no model, or nothing after the `@`.
    """
    name, at, which = text.partition("@")
    check_model(name)
    if at and not which:
        raise SpecError(
            f"{text!r:.140} names nothing after the @; write {name}@1.2.0, {name}@production or {name}@latest",
            code="name",
        )
    return name, which or None


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def _word(what: str, word: object, known: tuple[str, ...]) -> str:
    if word not in known:
        hint = did_you_mean(word, known) if isinstance(word, str) else ""
        raise SpecError(f"unknown {what} {word!r:.80}{hint}; known: {', '.join(known)}", code=what)
    return cast("str", word)

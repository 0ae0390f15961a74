"""What a caller may say of a version when it is registered; one list for Python, the stage and the command line."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, cast

from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.store.models import Bump, ModelParent, ModelStage, check_relation, split_reference
from crucible.train.registry.scores import ScoreSource

__all__ = ["Details", "check_details", "parents_of", "who", "words"]


class Details(TypedDict, total=False):
    """What may be said of a version.

    Args:
        version: A semantic version; default: the next one, by `bump`.
        bump: `major`, `minor` (the default), `patch` or `prerelease`.
        label: Word of a pre-release; default: `rc`.
        stage: Where it begins: `development` (the default) or `staging`.
        description: What is new in it.
        metrics: What was measured of it, beside what its files say; finite numbers.
        tags: Words for people.
        parents: What it came of, by relation: `{"dpo_trained_from": "triage@1.0.0"}`, or several in a list.
        run_id: Run that trained it.
        artifact_uri: Where its files are, if they are not to be kept here.
        origin: What else it was made from, JSON data.
        scores: Scores item by item, which non-inferiority is tested on.
        score_metrics: Only these of the scores; a file with several needs them named.
        source_key: What it was made of; registering the same once more returns what is there.
        by: Who registers it; default: the user of this process.
        why: Why.
    """

    version: str | None
    bump: Bump
    label: str
    stage: ModelStage
    description: str | None
    metrics: Mapping[str, float]
    tags: Iterable[str]
    parents: Mapping[str, str | Iterable[str]]
    run_id: str | None
    artifact_uri: str | None
    origin: Mapping[str, Any]
    scores: ScoreSource | Iterable[ScoreSource]
    score_metrics: Iterable[str]
    source_key: str | None
    by: str | None
    why: str


def check_details(given: Mapping[str, Any]) -> None:
    """Refuse what is no detail of a version.

    Raises:
        TypeError: The first unknown name.
    """
    known = Details.__annotations__
    for name in given:
        if name not in known:
            raise TypeError(f"register() has no option {name!r}{did_you_mean(name, known)}; it has: {', '.join(known)}")


def parents_of(given: Mapping[str, str | Iterable[str]], default: str = "latest") -> tuple[ModelParent, ...]:
    """Return lines of descent as people write them: references by relation.

    Args:
        given: Such as `{"merged_from": ["a@1.0.0", "b@production"]}`.
        default: What a bare model name stands for.

    Raises:
        SpecError: A relation is unknown, or a reference cannot be understood.
    """
    found: list[ModelParent] = []
    for relation, named in given.items():
        check_relation(relation)
        references: Iterable[Any] = [named] if isinstance(named, str) else named
        for reference in references:
            if not isinstance(reference, str):
                raise SpecError(f"{relation} must name a version such as triage@1.0.0, got {reference!r:.80}")
            model, which = split_reference(reference)
            found.append(ModelParent(cast("Any", relation), model, which or default))
    return tuple(found)


def who(by: str | None = None) -> str:
    """Return who does something: as given, or the user of this process."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        return "unknown"


def words(given: Iterable[str]) -> tuple[str, ...]:
    """Return words as a tuple; one text is one word."""
    return (given,) if isinstance(given, str) else tuple(given)

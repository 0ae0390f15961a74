"""Versions are those of Semantic Versioning 2.0.0: what is one, which comes first, what comes next."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.errors import SpecError
from crucible.store.models import BUMPS, Version, next_version

ORDER = (
    "0.0.1", "0.1.0", "0.9.9", "1.0.0-0", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
    "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0", "2.1.0",
    "2.1.1", "10.0.0",
)  # fmt: skip
"""Item 11 of https://semver.org/spec/v2.0.0.html, and what follows from it."""


def test_order_is_that_of_the_specification() -> None:
    """Numbers by size, words by letters, numbers before words, fewer parts before more, a pre-release before all."""
    shuffled = [Version.parse(text) for text in ORDER]
    random.Random(0).shuffle(shuffled)
    assert [str(each) for each in sorted(shuffled, key=lambda each: each.key)] == list(ORDER)
    assert sorted(shuffled) == sorted(shuffled, key=lambda each: each.key)
    assert Version.parse("1.0.0-rc.1") < Version.parse("1.0.0") <= Version.parse("1.0.0+a") >= Version.parse("1.0.0+b")
    assert not Version.parse("1.0.0+a") > Version.parse("1.0.0+b")


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.2", "v1.0.0", "1.2.3.4", "01.0.0", "1.02.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0+", "1.0.0+a+b",
     "1.0.0 ", "1.0.0\n", "\uff11.0.0", "1.0.0-ä", "-1.0.0", "1.0.0-rc/../x", "1." + "9" * 200 + ".0"],
)  # fmt: skip
def test_what_is_no_version_is_refused(text: str) -> None:
    """With what it is and how one is written; also what looks like one, and one of hundreds of digits."""
    with pytest.raises(SpecError, match="is no semantic version; write MAJOR.MINOR.PATCH"):
        Version.parse(text)


@given(
    st.tuples(*[st.integers(0, 10**6)] * 3),
    st.lists(st.one_of(st.integers(0, 99), st.from_regex(r"[a-zA-Z-][0-9a-zA-Z-]{0,5}", fullmatch=True)), max_size=4),
    st.lists(st.from_regex(r"[0-9a-zA-Z-]{1,5}", fullmatch=True), max_size=2),
    st.sampled_from(BUMPS),
)
def test_reading_writing_and_what_comes_next(
    core: tuple[int, int, int], pre: list[int | str], build: list[str], bump: str
) -> None:
    """Any version is read as it was written, and the next one is always above it, a release where one was asked for."""
    version = Version(*core, tuple(pre), tuple(build))
    assert Version.parse(str(version)) == version
    following = next_version(version, bump)  # type: ignore[arg-type]
    assert following > version
    assert following.is_release == (bump != "prerelease")
    assert not following.build


@pytest.mark.parametrize(
    ("latest", "expected"),
    [
        (None, ("0.1.0", "0.1.0", "0.1.0", "0.1.0-rc.1")),
        ("1.2.3", ("2.0.0", "1.3.0", "1.2.4", "1.2.4-rc.1")),
        ("1.2.3+b7", ("2.0.0", "1.3.0", "1.2.4", "1.2.4-rc.1")),
        ("1.3.0-rc.2", ("2.0.0", "1.3.0", "1.3.0", "1.3.0-rc.3")),
        ("2.0.0-beta.1", ("2.0.0", "2.0.0", "2.0.0", "2.0.0-rc.1")),
        ("2.0.0-zeta.1", ("2.0.0", "2.0.0", "2.0.0", "2.0.1-rc.1")),
        ("1.2.4-rc", ("2.0.0", "1.3.0", "1.2.4", "1.2.4-rc.1")),
    ],
)
def test_the_next_version(latest: str | None, expected: tuple[str, ...]) -> None:
    """As npm raises them, from 0.1.0: a pre-release is followed by its own release, another word never goes back."""
    found = [next_version(latest and Version.parse(latest), bump) for bump in BUMPS]  # type: ignore[arg-type]
    assert tuple(map(str, found)) == expected


def test_an_unknown_bump_and_a_bad_label_are_refused() -> None:
    """With what is known, and what may stand in a version."""
    with pytest.raises(SpecError, match=r'unknown bump "mayor"; did you mean major|unknown bump "mayor"'):
        next_version(None, "mayor")  # type: ignore[arg-type]
    for label in ("", "1", "r c", "rc.1", "é", "x" * 33):
        with pytest.raises(SpecError, match="cannot name a pre-release"):
            next_version(None, "prerelease", label=label)

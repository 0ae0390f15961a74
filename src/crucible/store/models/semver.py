"""Versions of models: Semantic Versioning 2.0.0, read, ordered, and the next one proposed.

Ordering is by precedence, which build metadata has no part in: `1.0.0+a` and `1.0.0+b` are different texts of the same
precedence, so a model has only one of them.
"""

from __future__ import annotations

import re
from typing import Final, Literal, get_args

import msgspec

from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.ir.words import SEMVER

__all__ = ["BUMPS", "Bump", "Version", "check_label", "next_version"]

Bump = Literal["major", "minor", "patch", "prerelease"]
"""Which part of a version is raised for the next one."""

BUMPS: Final[tuple[str, ...]] = get_args(Bump)
_LONGEST: Final = 128
_FORM: Final = re.compile(SEMVER)
_LABEL: Final = re.compile(r"(?:[0-9]*[A-Za-z-][0-9A-Za-z-]*){1,32}")


class Version(msgspec.Struct, frozen=True):
    """One version. `<`, `<=`, `>` and `>=` go by precedence; `==` compares build metadata, too.

    Args:
        major: Raised when what used it may break.
        minor: Raised for what is new.
        patch: Raised for what was mended.
        prerelease: Identifiers after `-`, numbers as integers; empty for a release.
        build: Identifiers after `+`.

    Source:
        https://semver.org/spec/v2.0.0.html, items 9 to 11.
    """

    major: int
    minor: int
    patch: int
    prerelease: tuple[int | str, ...] = ()
    build: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read a version such as `1.2.0-rc.1+build.5`.

        Raises:
            SpecError: It is none, or is longer than 128 characters.
        """
        if not isinstance(text, str) or len(text) > _LONGEST or not _FORM.fullmatch(text):  # pyright: ignore[reportUnnecessaryIsInstance]  # YAML's 1.0 is a number
            raise SpecError(
                f"{text!r:.130} is no semantic version; write MAJOR.MINOR.PATCH without leading zeros, with "
                "-PRERELEASE or +BUILD where wanted, such as 1.2.0 or 2.0.0-rc.1 (128 characters at most)",
                code="version",
            )
        rest, _, build = text.partition("+")
        core, _, prerelease = rest.partition("-")
        major, minor, patch = map(int, core.split("."))
        parts = tuple(int(part) if part.isdecimal() else part for part in prerelease.split(".")) if prerelease else ()
        return cls(major, minor, patch, parts, tuple(build.split(".")) if build else ())

    @property
    def is_release(self) -> bool:
        """Whether it is no pre-release."""
        return not self.prerelease

    @property
    def precedence(self) -> str:
        """The version without its build metadata."""
        core = f"{self.major}.{self.minor}.{self.patch}"
        return f"{core}-{'.'.join(map(str, self.prerelease))}" if self.prerelease else core

    @property
    def key(self) -> tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]:
        """What versions are sorted by: numbers before words, a pre-release before its release."""
        parts = tuple((False, part, "") if isinstance(part, int) else (True, 0, part) for part in self.prerelease)
        return self.major, self.minor, self.patch, self.is_release, parts

    def __str__(self) -> str:
        return f"{self.precedence}+{'.'.join(self.build)}" if self.build else self.precedence

    def __lt__(self, other: Version) -> bool:
        return self.key < other.key

    def __le__(self, other: Version) -> bool:
        return self.key <= other.key

    def __gt__(self, other: Version) -> bool:
        return self.key > other.key

    def __ge__(self, other: Version) -> bool:
        return self.key >= other.key


def check_label(label: str) -> str:
    """Return the word of a pre-release, such as `rc`.

    Raises:
        SpecError: It cannot stand in a version.
    """
    if not _LABEL.fullmatch(label) or len(label) > 32:
        raise SpecError(
            f"{label[:40]!r} cannot name a pre-release; use letters, digits and '-', at least one of them no digit, "
            "32 at most, such as rc or beta",
            code="version",
        )
    return label


def next_version(latest: Version | None, bump: Bump = "minor", *, label: str = "rc") -> Version:
    """Return the version after the latest one.

    A pre-release is followed by its own release: after `1.1.0-rc.2` come `1.1.0-rc.3`, or `1.1.0` for `minor` and
    `patch`, or `2.0.0` for `major`.

    Args:
        latest: The highest version that there is; None: there is none, and the first is 0.1.0.
        bump: Which part is raised.
        label: Word of a pre-release.

    Raises:
        SpecError: The bump is unknown, the label cannot stand in a version, or the next one would be too long.

    Source:
        The rules of `npm version`, https://github.com/npm/node-semver#functions (`inc`), counting pre-releases from 1.
    """
    if bump not in BUMPS:
        raise SpecError(f'unknown bump "{bump}"{did_you_mean(bump, BUMPS)}; known: {", ".join(BUMPS)}', code="version")
    check_label(label)
    following = _raised(latest, bump, label)
    if len(str(following)) > _LONGEST:
        raise SpecError(
            f"the {bump} version after {str(latest)[:20]}… is longer than {_LONGEST} characters; give the next version",
            code="version",
        )
    return following


def _raised(latest: Version | None, bump: Bump, label: str) -> Version:
    if latest is None:
        return Version(0, 1, 0, (label, 1) if bump == "prerelease" else ())
    major, minor, patch = latest.major, latest.minor, latest.patch
    match bump:
        case "major":
            return Version(major if not (minor or patch or latest.is_release) else major + 1, 0, 0)
        case "minor":
            return Version(major, minor if not (patch or latest.is_release) else minor + 1, 0)
        case "patch":
            return Version(major, minor, patch + latest.is_release)
        case _:
            return _next_prerelease(latest, label)


def _next_prerelease(latest: Version, label: str) -> Version:
    major, minor, patch = latest.major, latest.minor, latest.patch
    *before, last = latest.prerelease or (None,)
    if before[:1] == [label] and isinstance(last, int):
        return Version(major, minor, patch, (*latest.prerelease[:-1], last + 1))
    begun = Version(major, minor, patch, (label, 1))
    return begun if begun > latest else Version(major, minor, patch + 1, (label, 1))

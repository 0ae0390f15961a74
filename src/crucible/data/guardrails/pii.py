"""Rules for personal data: what identifies, reaches or pays for a person. Names of people are not among them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from crucible.data.guardrails.finding import Category, Severity
from crucible.data.guardrails.numbers import address_kind, iban_length, is_card, is_nanp, is_phone, is_ssn
from crucible.data.guardrails.rule import Accept, Rule

__all__ = ["PII_RULES"]

_NO_DOMAINS: Final = frozenset(
    [
        "css",
        "gif",
        "gz",
        "html",
        "jpeg",
        "jpg",
        "js",
        "json",
        "md",
        "mp4",
        "pdf",
        "png",
        "py",
        "svg",
        "tar",
        "toml",
        "ts",
        "txt",
        "webp",
        "yaml",
        "zip",
    ]
)
_PHONE_WORDS: Final = ("tel", "phone", "mobile", "cell", "fax", "call", "text", "ring", "whatsapp", "my number")
_SAYS_PHONE: Final = re.compile(rf"\b(?:{'|'.join(_PHONE_WORDS)}|telephone)\b[^0-9]{{0,20}}\Z")
_VERSION_WORDS: Final = frozenset({"v", "version", "ver", "chapter", "section", "release", "firmware"})
_GROUP: Final = re.compile("[0-9]+")
_CARD: Final = re.compile(r"(?<![\w.-])(?=((?:[0-9][ -]?){11,18}[0-9])(?![\w-]|\.\d))[2-6]")
_CLOSE: Final = 40
"""How many characters before a match may hold the word that tells what it is."""


def _rule(
    name: str, severity: Severity, pattern: str, accept: Accept | None = None, hints: tuple[str, ...] = ()
) -> Rule:
    compiled = re.compile(pattern, re.IGNORECASE)
    shown = f"[{name.upper()}]"
    return Rule(
        name=name,
        category=Category.PII,
        severity=severity,
        placeholder=shown,
        pattern=compiled,
        accept=accept,
        hints=hints,
    )


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())


def _before(match: re.Match[str]) -> str:
    return match.string[max(0, match.start() - _CLOSE) : match.start()].lower()


def _email(match: re.Match[str]) -> tuple[int, int] | None:
    ending = match[0].rpartition(".")[2].lower()
    is_remote = match[0].lower().startswith("git@") and match.string[match.end() : match.end() + 1] == ":"
    return None if ending in _NO_DOMAINS or is_remote else match.span()


def _telephone(is_number: Callable[[str], bool]) -> Accept:
    """Return what accepts a telephone number, which ends where a card's begins: `+1 212 555 0199 4111 1111 ...`."""

    def accept(match: re.Match[str]) -> tuple[int, int] | None:
        for group in _GROUP.finditer(match.string, match.start() + 1, match.end()):
            card = _CARD.match(match.string, group.start())
            if card and _card(card):
                own = match.string[match.start() : group.start()].rstrip(" -./(")
                if is_number(_digits(own)):
                    return match.start(), match.start() + len(own)
                break  # too short to tell: all of it goes, rather than that some is left
        return match.span() if is_number(_digits(match[0])) else None

    return accept


def _is_american(digits: str) -> bool:
    return is_nanp(digits[-10:])


def _is_international(digits: str) -> bool:
    return is_phone(digits.removeprefix("00"))


def _is_national(digits: str) -> bool:
    return 9 <= len(digits) <= 12


def _is_announced(digits: str) -> bool:
    return _is_national(digits) and len(set(digits)) > 2


def _announced_phone(match: re.Match[str]) -> tuple[int, int] | None:
    return _telephone(_is_announced)(match) if _SAYS_PHONE.search(_before(match)) else None


def _ssn(match: re.Match[str]) -> tuple[int, int] | None:
    return match.span() if is_ssn(_digits(match[0])) else None


def _announced_ssn(match: re.Match[str]) -> tuple[int, int] | None:
    said = any(word in _before(match) for word in ("ssn", "social security"))
    return match.span() if said and is_ssn(_digits(match[0])) else None


def _card(match: re.Match[str]) -> tuple[int, int] | None:
    """Return the longest run of whole groups of digits that is a card number; a group has 3 digits at least.

    Behind other digits only a number in groups of four, or in one, counts: of many numbers in a row some run is always
    one by chance.
    """
    groups = [group[0] for group in _GROUP.finditer(match[1])]
    if any(len(group) < 3 for group in groups[:-1]):
        return None
    for last in range(len(groups), 0, -1):
        if is_card("".join(groups[:last])):
            is_usual = last == 1 or all(len(group) == 4 for group in groups[:last])
            is_first = not match.string[max(0, match.start() - 2) : match.start()].strip(" -").isdecimal()
            if is_usual or is_first:
                ends = list(_GROUP.finditer(match.string, match.start(), match.end(1)))
                return match.start(), ends[last - 1].end()
    return None


def _iban(match: re.Match[str]) -> tuple[int, int] | None:
    length = iban_length(match[0].replace(" ", ""))
    if length is None:
        return None
    end = match.start()
    while length:
        length -= match.string[end] != " "
        end += 1
    follows = match.string[end : end + 1]
    return None if follows.isalnum() else (match.start(), end)


def _address(kind: str) -> Accept:
    def accept(match: re.Match[str]) -> tuple[int, int] | None:
        words = _before(match).replace(":", " ").replace(".", " ").split()
        is_version = bool(words) and words[-1] in _VERSION_WORDS
        return match.span() if not is_version and address_kind(match[0]) == kind else None

    return accept


_IPV4: Final = r"(?<![\w.:-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w-]|\.\w)"
_IPV6: Final = r"(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:]|\.\w)"

PII_RULES: Final = (
    _rule(
        "email",
        Severity.MEDIUM,
        r"(?<![\w.+%'-])[\w.+%'-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w@-])",
        _email,
        ("@",),
    ),
    _rule(
        "email_spelled",
        Severity.MEDIUM,
        r"(?<![\w.+-])[\w.+-]{1,64} ?[\[({] ?at ?[\])}] ?[\w-]{1,63}(?: ?[\[({] ?dot ?[\])}] ?[\w-]{1,63}){1,8}",
        None,
        ("at]", "at )", "at ]", "at)", "at}"),
    ),
    _rule(
        "phone",
        Severity.MEDIUM,
        r"(?<![\w+.])(?<![0-9] )(?:\+|00 ?(?=[1-9]))(?:\(?[0-9]\)?[ ./-]{0,3}){7,14}[0-9](?!\w|[./]\d)",
        _telephone(_is_international),
        ("+", "00"),
    ),
    _rule(
        "phone",
        Severity.MEDIUM,
        r"(?<![\w+./-])(?:1[ .-])?(?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}(?![\w-]|[./]\w)",
        _telephone(_is_american),
    ),
    _rule(
        "phone",
        Severity.MEDIUM,
        r"(?<![\w+./-])\(?[0-9](?:[0-9]|[ ()/-]{1,3}(?=[0-9])){8,18}(?![\w-]|[./]\w)",
        _announced_phone,
        _PHONE_WORDS,
    ),
    _rule(
        "phone_national",
        Severity.LOW,
        r"(?<![\w+./-])\(?0[1-9][0-9]{0,4}\)?[ /-]{1,3}[0-9]{3,8}(?:[ -][0-9]{2,5}){0,3}(?![\w-]|[./]\w)",
        _telephone(_is_national),
    ),
    _rule("us_ssn", Severity.HIGH, r"(?<![\w-])[0-9]{3}([- ])[0-9]{2}\1[0-9]{4}(?![\w-])", _ssn),
    _rule("us_ssn", Severity.HIGH, r"(?<![\w-])[0-9]{9}(?![\w-])", _announced_ssn, ("ssn", "social security")),
    _rule("credit_card", Severity.HIGH, _CARD.pattern, _card),
    _rule("iban", Severity.HIGH, r"(?<![\w-])[a-z]{2}[0-9]{2}(?: ?[a-z0-9]){11,30}", _iban),
    _rule(
        "uk_nino",
        Severity.HIGH,
        r"(?<![\w-])(?!bg|gb|nk|kn|tn|nt|zz)[a-ceghj-prstw-z][a-ceghj-nprstw-z] ?(?:[0-9]{2} ?){3}[a-d](?![\w-])",
    ),
    _rule("ip_address", Severity.MEDIUM, _IPV4, _address("public")),
    _rule("ip_address", Severity.MEDIUM, _IPV6, _address("public"), (":",)),
    _rule("local_ip_address", Severity.LOW, _IPV4, _address("local")),
    _rule("local_ip_address", Severity.LOW, _IPV6, _address("local"), (":",)),
    _rule("mac_address", Severity.LOW, r"(?<![\w:-])[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?![\w:-])"),
    _rule(
        "date_of_birth",
        Severity.MEDIUM,
        r"(?<!\w)(?:dob|d\.o\.b\.?|date of birth|birth ?date|born on)[ :=]{1,4}(?:on )?"
        r"(?:[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}|[0-9]{1,2}(?:st|nd|rd|th)? [a-z]{3,9} [0-9]{4}"
        r"|[a-z]{3,9} [0-9]{1,2}, ?[0-9]{4})",
        None,
        ("dob", "d.o.b", "birth", "born on"),
    ),
    _rule(
        "street_address",
        Severity.LOW,
        r"(?<![\w.])[0-9]{1,5}[a-z]? (?-i:[A-Z][a-z]{1,20} ){1,3}"
        r"(?-i:Street|St|Avenue|Ave|Road|Rd|Lane|Boulevard|Blvd|Drive|Court|Square)(?!\w)",
        None,
        ("st", "ave", "road", "rd", "lane", "boulevard", "blvd", "drive", "court", "square"),
    ),
)

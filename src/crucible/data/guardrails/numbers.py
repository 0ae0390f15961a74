"""Which digits are what they look like: check sums and ranges of card, account, telephone and insurance numbers."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

__all__ = ["address_kind", "iban_length", "is_card", "is_nanp", "is_phone", "is_ssn"]

# Issuer ranges as (first digits from, to, lengths): ISO/IEC 7812 as the networks publish them.
_ISSUERS: Final = (
    ("4", "4", (13, 16, 19)),
    ("51", "55", (16,)),
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),
    ("37", "37", (15,)),
    ("6011", "6011", (16, 19)),
    ("644", "659", (16, 19)),
    ("3528", "3589", (16, 19)),
    ("300", "305", (14, 16)),
    ("36", "36", (14, 19)),
    ("38", "39", (14, 19)),
    ("62", "62", (16, 17, 18, 19)),
    ("5018", "5018", (12, 13, 14, 15, 16, 17, 18, 19)),
    ("6759", "6763", (12, 13, 14, 15, 16, 17, 18, 19)),
)
_IBAN_LENGTHS: Final = {
    "AD": 24,
    "AE": 23,
    "AL": 28,
    "AT": 20,
    "AZ": 28,
    "BA": 20,
    "BE": 16,
    "BG": 22,
    "BH": 22,
    "BR": 29,
    "BY": 28,
    "CH": 21,
    "CR": 22,
    "CY": 28,
    "CZ": 24,
    "DE": 22,
    "DK": 18,
    "DO": 28,
    "EE": 20,
    "EG": 29,
    "ES": 24,
    "FI": 18,
    "FO": 18,
    "FR": 27,
    "GB": 22,
    "GE": 22,
    "GI": 23,
    "GL": 18,
    "GR": 27,
    "GT": 28,
    "HR": 21,
    "HU": 28,
    "IE": 22,
    "IL": 23,
    "IQ": 23,
    "IS": 26,
    "IT": 27,
    "JO": 30,
    "KW": 30,
    "KZ": 20,
    "LB": 28,
    "LC": 32,
    "LI": 21,
    "LT": 20,
    "LU": 20,
    "LV": 21,
    "LY": 25,
    "MC": 27,
    "MD": 24,
    "ME": 22,
    "MK": 19,
    "MR": 27,
    "MT": 31,
    "MU": 30,
    "NL": 18,
    "NO": 15,
    "PK": 24,
    "PL": 28,
    "PS": 29,
    "PT": 25,
    "QA": 29,
    "RO": 24,
    "RS": 22,
    "SA": 24,
    "SC": 31,
    "SE": 24,
    "SI": 19,
    "SK": 24,
    "SM": 27,
    "ST": 25,
    "SV": 28,
    "TL": 23,
    "TN": 24,
    "TR": 26,
    "UA": 29,
    "VA": 22,
    "VG": 24,
    "XK": 20,
}
_UNICAST: Final = ipaddress.ip_network("2000::/3")  # all public IPv6 addresses that exist; `a::b` is C++
_WITHDRAWN_SSN: Final = ("078051120", "219099999")  # printed in advertisements, never issued again


def is_card(digits: str) -> bool:
    """Return whether digits are a payment card's: its issuer's range, its length and the Luhn check sum.

    Source:
        ISO/IEC 7812-1, annex B.
    """
    if len(set(digits)) < 2 or not any(
        low <= digits[: len(low)] <= high and len(digits) in lengths for low, high, lengths in _ISSUERS
    ):
        return False
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    return (sum(int(digit) for digit in digits[::-2]) + sum(n - 9 if n > 9 else n for n in doubled)) % 10 == 0


def iban_length(text: str) -> int | None:
    """Return how many letters and digits of a text without spaces are an IBAN; None if its start is none.

    Source:
        ISO 13616-1; lengths of the SWIFT registry.
    """
    length = _IBAN_LENGTHS.get(text[:2].upper())
    if length is None or len(text) < length:
        return None
    turned = text[4:length] + text[:4]
    return length if int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1 else None


def is_nanp(digits: str) -> bool:
    """Return whether 10 digits can be a telephone number of North America: no area or exchange starts with 0 or 1."""
    area, exchange = digits[:3], digits[3:6]
    return area[0] in "23456789" and exchange[0] in "23456789" and area[1:] != "11" and exchange[1:] != "11"


def is_phone(digits: str) -> bool:
    """Return whether digits after the plus sign can be a telephone number.

    Source:
        ITU-T E.164: country code and number have 15 digits at most; no country code starts with 0.
    """
    return 8 <= len(digits) <= 15 and digits[0] != "0" and len(set(digits)) > 2


def is_ssn(digits: str) -> bool:
    """Return whether 9 digits can be a US social security number; ranges that are never issued are not.

    Source:
        Social Security Administration, "Social Security Number Randomization" (2011).
    """
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    if digits in _WITHDRAWN_SSN or area in ("000", "666") or area[0] == "9":
        return False
    return group != "00" and serial != "0000"


def address_kind(text: str) -> str | None:
    """Return `public` or `local` for an IPv4 or IPv6 address; None for what is none."""
    if re.fullmatch(r"[0:]+", text):
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if address.version == 6 and not address.is_global:
        return "local" if len(text) > 6 else None
    if address.version == 6:
        return "public" if address in _UNICAST else None
    return "public" if address.is_global and not address.is_multicast else "local"

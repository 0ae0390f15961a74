r"""HTML and SVG text that is escaped unless it says otherwise.

Builds strings; knows no page. Text that is not `Markup` is escaped when it is put into an element, so hostile text can
only be shown. Control characters and characters that reorder text become visible escapes such as `\u202e`.
"""

from __future__ import annotations

import html
import re

__all__ = ["Markup", "element", "escape", "join", "visible"]

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
_VOID = frozenset({"br", "link", "meta"})


class Markup(str):
    """Text that is already HTML or SVG."""

    __slots__ = ()


def visible(text: str) -> str:
    r"""Return `text` with characters that hide, reorder or cannot be encoded shown as escapes; new lines are `\n`."""
    return _HIDDEN.sub(_escape_code, text.replace("\r\n", "\n"))


def _escape_code(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def escape(text: str) -> Markup:
    """Return `text` as HTML that shows it, also inside quoted attributes; `Markup` comes back unchanged."""
    return text if isinstance(text, Markup) else Markup(html.escape(visible(text), quote=True))


def join(parts: list[Markup], separator: str = "") -> Markup:
    """Return several pieces of markup as one."""
    return Markup(separator.join(parts))


def element(name: str, /, *children: str, **attributes: str | float | bool | None) -> Markup:
    """Return one element.

    Args:
        name: Tag name, in lower case.
        children: Inner text or markup, in order.
        attributes: A trailing `_` is dropped and other `_` become `-` (`class_`, `aria_label`); None and False leave
            the attribute out, True writes it without a value, numbers are rounded to two decimals.
    """
    written = "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{_attribute_value(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{''.join(escape(child) for child in children)}</{name}>")


def _attribute(key: str) -> str:
    if key == "viewBox":
        return key
    return key.removesuffix("_").replace("_", "-")


def _attribute_value(value: str | float) -> str:
    if isinstance(value, str):
        return escape(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)

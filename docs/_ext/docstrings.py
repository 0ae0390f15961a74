"""Docstrings are written the Markdown way; Sphinx reads reStructuredText.

Turns `code` into ``code``, an indented block of a module's docstring into a literal one, and takes bars literally. A
name that a room only hands on is documented in its own room.
"""

import re
import typing

CODE_OR_BAR = re.compile(r"(?<!`)`(?P<code>[^`]+)`(?!`)(?P<after>\w?)|\|")


def _rewrite(found: re.Match[str]) -> str:
    if found["code"] is None:
        return "\\|"
    # A plural's s must not touch the closing mark.
    return f"``{found['code']}``" + (f"\\ {found['after']}" if found["after"] else "")


def _as_rst(_app: object, what: str, _name: str, _value: object, _options: object, lines: list[str]) -> None:
    text = "\n".join(lines)
    if what == "module" and re.search(r"\n\n {4}\S", text):
        lines[:] = re.sub(r"\n\n(?= {4}\S)", "\n\n::\n\n", text).split("\n")
        return
    lines[:] = CODE_OR_BAR.sub(_rewrite, text).split("\n")


def _hands_on(app: typing.Any, _what: str, _name: str, value: object, skip: bool, _options: object) -> bool | None:
    """Leave out what belongs to another room of the package."""
    home = getattr(value, "__module__", None)
    if skip or not isinstance(home, str) or not home.startswith("crucible."):
        return None
    room = app.env.current_document.autodoc_module or ""
    return True if room.startswith("crucible.") and home.split(".")[1] != room.split(".")[1] else None


def setup(app: typing.Any) -> dict[str, bool]:
    """Connect the two."""
    app.connect("autodoc-process-docstring", _as_rst, priority=100)  # before napoleon
    app.connect("autodoc-skip-member", _hands_on)
    return {"parallel_read_safe": True}

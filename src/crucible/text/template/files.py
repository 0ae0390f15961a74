"""Where a tokenizer folder keeps its chat templates: read in the order in which transformers looks, and written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from crucible.errors import DataError
from crucible.text.template.chat_template import ChatTemplate

__all__ = ["read_templates", "templates_of", "write_templates"]

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def read_templates(folder: Path, config: Mapping[str, Any]) -> dict[str, ChatTemplate]:
    """Return the chat templates of a tokenizer folder by name; the usual one is `default`.

    `chat_template.jinja` wins over `chat_template` in `tokenizer_config.json`; `additional_chat_templates/*.jinja` are
    added under their file's name.

    Raises:
        DataError: A template is no text, is too long, or a file cannot be read.
    """
    found = templates_of(config.get("chat_template"), str(folder / "tokenizer_config.json"))
    file = folder / "chat_template.jinja"
    if file.is_file():
        found["default"] = ChatTemplate(_read(file), str(file))
    more = folder / "additional_chat_templates"
    if more.is_dir():
        for each in sorted(more.glob("*.jinja")):
            found[each.stem] = ChatTemplate(_read(each), str(each))
    return found


def write_templates(folder: Path, templates: Mapping[str, ChatTemplate]) -> None:
    """Write chat templates into a tokenizer folder; a usual one that was there and is not among them is removed.

    Raises:
        DataError: A template's name cannot be that of a file.
    """
    usual = folder / "chat_template.jinja"
    if "default" not in templates:
        usual.unlink(missing_ok=True)
    for name, template in templates.items():
        if not _NAME.fullmatch(name):
            raise DataError(f"a chat template is named {name[:80]!r}; use letters, digits, '.', '_' and '-'")
        file = usual if name == "default" else folder / "additional_chat_templates" / f"{name}.jinja"
        file.parent.mkdir(exist_ok=True)
        file.write_text(template.text, encoding="utf-8")


def templates_of(value: Any, source: str) -> dict[str, ChatTemplate]:
    """Return the templates of a configuration's `chat_template`: a text, or a list of `{name, template}`.

    Raises:
        DataError: It is neither, or a template is too long.
    """
    if value is None:
        return {}
    if isinstance(value, str):
        return {"default": ChatTemplate(value, source)}
    if isinstance(value, Mapping):
        value = [{"name": name, "template": text} for name, text in cast("Mapping[str, Any]", value).items()]
    found: dict[str, ChatTemplate] = {}
    if isinstance(value, Sequence):
        for each in cast("Sequence[Any]", value):
            entry: Mapping[str, Any] = cast("Mapping[str, Any]", each) if isinstance(each, Mapping) else {}
            name, text = entry.get("name"), entry.get("template")
            if not isinstance(name, str) or not isinstance(text, str):
                raise DataError(f"chat_template in {source} holds an entry that is no name with a template")
            found[name] = ChatTemplate(text, source)
        return found
    raise DataError(f"chat_template in {source} is {type(value).__name__}, expected text or a list of named templates")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the chat template {file}: {error}") from error

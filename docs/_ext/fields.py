"""Tables made from the types themselves, so that a page cannot disagree with what the program reads.

`{experiment-fields} DatasetRef` shows the fields of a document type, `{stage-options}` those of every registered stage.
Pydantic models in the API reference get the list of their fields too.
"""

import json
import re
import types
import typing

from docutils import nodes
from docutils.statemachine import StringList
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo
from sphinx.util.docutils import SphinxDirective

from crucible import ir
from crucible.pipeline import Registry

_WORDS = {int: "integer", float: "number", str: "text", bool: "true or false", dict: "mapping", typing.Any: "anything"}
_WORDS[AwareDatetime] = "date and time"


def _type_word(annotation: object) -> str:
    """Return a type in the words of a document's author."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type_word(inner[0])
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_word(each) for each in inner if each is not type(None))
    if origin in (tuple, list):
        return f"list of {_type_word(inner[0])}" if inner else "list"
    plain = origin or annotation
    return _WORDS.get(plain, getattr(plain, "__name__", str(plain)))


def _default_word(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return "see there"
    return f"`{json.dumps(value, ensure_ascii=False, default=str)}`"


def _range_word(field: FieldInfo) -> str:
    signs = {"gt": "> ", "ge": "≥ ", "lt": "< ", "le": "≤ "}
    return ", ".join(
        f"{sign}{getattr(bound, name)}"
        for bound in field.metadata
        for name, sign in signs.items()
        if hasattr(bound, name)
    )


def _rows(model: type[BaseModel]) -> list[tuple[str, str, str, str]]:
    rows = []
    for name, field in model.model_fields.items():
        kind = " ".join(part for part in (_type_word(field.annotation), _range_word(field)) if part)
        rows.append((f"`{field.alias or name}`", kind, _default_word(field), field.description or ""))
    return rows


def _table(model: type[BaseModel]) -> list[str]:
    if not model.model_fields:
        return ["No options."]
    head = ["| field | type | default | meaning |", "| --- | --- | --- | --- |"]
    return head + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in _rows(model)]


class _Generated(SphinxDirective):
    """Parses generated Markdown in place."""

    def lines(self) -> list[str]:
        """Return the Markdown."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the Markdown."""
        node = nodes.container()
        self.state.nested_parse(StringList(self.lines(), source="generated"), self.content_offset, node)
        return node.children


class ExperimentFields(_Generated):
    """The fields of one document type."""

    required_arguments = 1

    def lines(self) -> list[str]:
        """Return the table of the type named by the argument."""
        return _table(getattr(ir, self.arguments[0]))


class StageOptions(_Generated):
    """The options of every registered stage."""

    def lines(self) -> list[str]:
        """Return one section's worth of text a stage, aliases left out."""
        registry = Registry()
        text: list[str] = []
        for name in sorted(registry.names()):
            stage = registry.get(name)
            if stage.name == name:
                summary = (type(stage).__doc__ or "").strip().partition("\n")[0]
                text += [f"**{name}**: {summary}", "", *_table(stage.Options), ""]
        return text


def _list_fields(_app: object, what: str, _name: str, value: object, _options: object, lines: list[str]) -> None:
    """Add its fields to the docstring of a pydantic model."""
    if what == "class" and isinstance(value, type) and issubclass(value, BaseModel):
        lines.append("")
        for row in _rows(value):
            name, kind, default, meaning = (re.sub(r"`([^`]+)`", r"``\1``", cell) for cell in row)  # Markdown to rST
            lines.append(f"* {name} ({kind}; {default}): {meaning}")
        lines.append("")


def setup(app: typing.Any) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("experiment-fields", ExperimentFields)
    app.add_directive("stage-options", StageOptions)
    app.connect("autodoc-process-docstring", _list_fields, priority=900)  # after napoleon
    return {"parallel_read_safe": True}

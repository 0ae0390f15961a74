"""YAML as its 1.2 core schema means it: `1e-4` is a number, `no` is a word, dates stay text.

Keys are text and unique, no tag is executed, and there are no aliases, so that no document grows beyond its size.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# PyYAML's reader classes are untyped; what leaves this module is checked by the models.
from __future__ import annotations

import functools
import re
from collections.abc import Hashable
from typing import Any

from crucible.ir.wording_text import show

__all__ = ["dump_yaml", "parse_yaml"]

_SCALARS = (
    ("bool", r"(true|True|TRUE|false|False|FALSE)", "tTfF"),
    ("null", r"(~|null|Null|NULL|)", ["~", "n", "N", ""]),
    ("int", r"([-+]?[0-9]+)", "-+0123456789"),
    ("float", r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)", "-+0123456789."),
)


def parse_yaml(text: str) -> Any:
    """Return the plain data of one YAML document.

    Raises:
        ValueError: The text is not YAML of this kind; the message gives line and column.
    """
    import yaml

    try:
        return yaml.load(text, Loader=_loader())  # noqa: S506  # a SafeLoader that knows fewer tags
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"{place}{error.problem or error.context}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:  # values that a tag does not fit
        raise ValueError(f"a value does not fit its tag ({error})") from None


def dump_yaml(data: Any) -> str:
    """Return YAML text that reads back the same here and in YAML 1.1 readers: ambiguous words are quoted."""
    import yaml

    return yaml.dump(data, Dumper=_dumper(), sort_keys=False, allow_unicode=True)


@functools.cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Knows the numbers of both YAML versions, and so quotes text that looks like either."""

        def represent_str(self, data: str) -> Any:
            """Quote what YAML 1.1 takes for line breaks, which PyYAML would write bare and read back as spaces."""
            style = '"' if any(mark in data for mark in "\x85\u2028\u2029") else None
            return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, Dumper.represent_str)
    for tag, pattern, starts in _SCALARS:
        Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^{pattern}$"), list(starts))
    return Dumper


@functools.cache
def _loader() -> Any:
    import yaml
    from yaml.composer import ComposerError
    from yaml.constructor import ConstructorError

    class Loader(yaml.SafeLoader):
        """The reader described above."""

        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's own form

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise ComposerError(None, None, "aliases (*name) are not supported", self.peek_event().start_mark)
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
            seen: set[str] = set()
            for key_node, _ in node.value:
                key = self.construct_object(key_node)
                if not isinstance(key, str):
                    raise ConstructorError(None, None, f"keys must be text, got {show(key)}", key_node.start_mark)
                if key in seen:
                    raise ConstructorError(None, None, f"key {show(key)} is given twice", key_node.start_mark)
                seen.add(key)
            return super().construct_mapping(node, deep)

    for tag, pattern, starts in _SCALARS:
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^{pattern}$"), list(starts))
    Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
    Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(node.value))
    return Loader

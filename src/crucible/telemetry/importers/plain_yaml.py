"""YAML of strangers as plain data: what PyYAML and W&B's own writer put down, without tags and aliases.

The events are looked through before anything is built, so that neither an alias bomb nor endless nesting costs more
than the text itself.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# PyYAML's classes are untyped; callers check the values that leave this module.
from __future__ import annotations

import functools
import re
from typing import Any

__all__ = ["plain_yaml"]

_LEVELS = 50
_FLOAT = r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)"  # YAML 1.2's, which takes 1e-05 for a number


def plain_yaml(text: str) -> Any:
    """Return the data of one YAML document; dates stay text.

    Args:
        text: The document; callers bound its size.

    Raises:
        ValueError: It is no such document; the message says why.
    """
    import yaml

    try:
        _look_through(text)
        return yaml.load(text, Loader=_loader())  # noqa: S506  # a SafeLoader that knows fewer tags
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(f"{place}{error.problem or error.context}") from None
    except (yaml.YAMLError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"it cannot be read ({type(error).__name__}: {error})") from None


def _look_through(text: str) -> None:
    import yaml

    level = 0
    for event in yaml.parse(text, Loader=_base()):
        mark = event.start_mark
        place = f"line {mark.line + 1}" if mark else "somewhere"
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"{place}: aliases (*name) are not taken")  # noqa: TRY004  # it is the text that is wrong
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
            if level > _LEVELS:
                raise ValueError(f"{place}: more than {_LEVELS} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1


def _base() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a PyYAML without libyaml has the slow one alone


@functools.cache
def _loader() -> Any:
    base = _base()

    class Loader(base):
        """The reader described above."""

        yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own form
            first: [known for known in resolvers if known[0] != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in base.yaml_implicit_resolvers.items()
        }

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(rf"^{_FLOAT}$"), list("-+0123456789."))
    return Loader

"""The page as a whole: `to_html`.

What can be read without JavaScript (header, counts, the first events) is written here, escaped; everything else the
page builds from the encoded chain. The policy admits the style and the script by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from string import Template

from crucible.trace.chain import Chain
from crucible.trace.display import clean
from crucible.trace.viewer.encoding import encode, safe_json, types_in
from crucible.trace.viewer.options import ViewerOptions
from crucible.trace.viewer.outline import header, plain_list, statistics
from crucible.trace.viewer.palette import type_styles
from crucible.trace.viewer.readable import readable, words

__all__ = ["to_html"]

_STANDARD = ViewerOptions()
_SCRIPTS = (
    "chain",
    "elements",
    "filter",
    "card",
    "list",
    "panel",
    "timeline",
    "layout",
    "extract",
    "graph",
    "series",
    "curves",
    "viewer",
)


def to_html(chain: Chain, options: ViewerOptions = _STANDARD) -> str:
    """Return a chain as one HTML page that needs no other file and no network.

    Args:
        chain: What to show; repeated ids, missing links, cycles and unknown types are shown for what they are.
        options: Title, theme and parts.
    """
    title = clean(words(chain.name if options.title is None else options.title)) or "(no name)"
    events = [readable(event) for event in chain]
    types = types_in(events)
    style = _part("viewer.css") + type_styles(types)
    script = _script()
    data = {**encode(events, types), "timeline": options.include_timeline}
    return Template(_part("page.html")).substitute(
        theme=options.theme,
        policy=_policy(style, script),
        title=f"{_escaped(title)} · causal trace",
        style=style,
        header=header(chain, title),
        statistics=statistics(events, types) if options.include_statistics else "",
        plain=plain_list(events),
        data=safe_json(data),
        script=script,
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@cache
def _part(name: str) -> str:
    return resources.files("crucible.trace.viewer").joinpath(name).read_text(encoding="utf-8")


@cache
def _script() -> str:
    parts = "\n".join(_part(f"scripts/{name}.js") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _policy(style: str, script: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

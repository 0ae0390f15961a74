"""The page as text: what is in it without a browser, and that nothing from a chain is markup."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from crucible.errors import SpecError
from crucible.trace import Chain, Event, EventType, event_types
from crucible.trace.viewer import ViewerOptions, to_html
from crucible.trace.viewer.palette import contrast, legible

START = datetime(2026, 1, 1, tzinfo=UTC)
ATTACK = (
    "</script><script>window.pwned=1</script></title></style><img src=x onerror=alert(1)>\"'&amp;$title\u202e\x1b\ud800"
)


class _Tags(HTMLParser):
    """Collects the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def _hostile() -> Chain:
    chain = Chain(ATTACK, id=ATTACK, description=ATTACK, metadata={ATTACK: ATTACK}, created_at=START)
    for number in range(3):
        fields = dict.fromkeys(("code_section", "spec_reference", "stage_id", "experiment_id", "parent_id"), ATTACK)
        chain.add(
            Event.new(
                ATTACK,
                ATTACK,
                ATTACK,
                id=f"{ATTACK}{number}",
                timestamp=START,
                alternatives=[ATTACK],
                depends_on=[ATTACK],
                metadata={ATTACK: [ATTACK]},
                **fields,  # type: ignore[arg-type]
            )
        )
    return chain


def test_hostile_text_makes_no_element() -> None:
    """A chain of attacks gives the same elements as one of plain words, and a page that can be written as UTF-8."""
    page = to_html(_hostile())
    page.encode()
    tags = _Tags()
    tags.feed(page)
    assert [tag for tag, _ in tags.found].count("script") == 2
    assert not [tag for tag, _ in tags.found if tag in ("img", "iframe", "object", "embed", "base")]
    assert not [name for _, attributes in tags.found for name in attributes if name.startswith("on")]
    assert "style" not in {name for _, attributes in tags.found for name in attributes}
    assert "\u202e" not in page
    assert "\x1b" not in page


def test_policy_admits_the_page_s_own_parts_by_hash() -> None:
    """The hashes in the policy are those of the style and the script; nothing else may load, run or be sent."""
    page = to_html(_hostile())
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert found
    policy = html.unescape(found[1])
    style, script = (
        re.search(r"<style>(.*?)</style>", page, re.DOTALL),
        re.search(r"<script>(.*?)</script>", page, re.DOTALL),
    )
    assert style
    assert script
    for name, part in (("style-src", style[1]), ("script-src", script[1])):
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    for rule in ("default-src 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"):
        assert rule in policy
    assert "unsafe" not in policy


def test_page_names_no_other_place() -> None:
    """There is no address in the page but the name of SVG's own language."""
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`]*", to_html(_hostile())))
    assert addresses <= {"http://www.w3.org/2000/svg"}


def test_script_never_writes_markup() -> None:
    """The page's script uses none of the ways to turn text into elements or code."""
    page = to_html(Chain("a", created_at=START))
    script = page[page.rindex("<script>") :]
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "srcdoc"):
        assert way not in script


def test_options_choose_title_theme_and_parts() -> None:
    """The title replaces the chain's name as a heading, and parts that are not wanted are left out."""
    chain = Chain("own name", created_at=START)
    chain.add(Event.new("decision_made", "a", "b", timestamp=START))
    page = to_html(
        chain, ViewerOptions(title="<A & B>", theme="dark", include_statistics=False, include_timeline=False)
    )
    assert "<title>&lt;A &amp; B&gt; · causal trace</title>" in page
    assert '<h1 dir="auto">&lt;A &amp; B&gt;</h1>' in page
    assert "own name" in page
    assert 'data-theme="dark"' in page
    assert 'class="tiles"' not in page
    assert '"timeline":false' in page


def test_unknown_theme_is_refused() -> None:
    """A theme that does not exist is an error that names the three."""
    with pytest.raises(SpecError, match="'auto', 'light' or 'dark'") as caught:
        ViewerOptions(theme="drak")  # type: ignore[arg-type]
    assert caught.value.path == "theme"
    assert "did you mean" in str(caught.value)


def test_statistics_say_how_many_state_a_confidence() -> None:
    """The mean is over the events that state one, and says so; where none does there is no mean."""
    chain = Chain("a", created_at=START)
    for confidence in (0.5, 1.0, None):
        chain.add(Event.new("decision_made", "a", "b", timestamp=START, confidence=confidence))
    page = to_html(chain)
    assert "<strong>0.75</strong> <span>stated by 2 of 3</span>" in page
    silent = Chain("a", created_at=START)
    silent.add(Event.new("decision_made", "a", "b", timestamp=START))
    assert "<strong>not stated</strong> <span>stated by 0 of 1</span>" in to_html(silent)


def test_unknown_keys_of_the_chain_are_shown() -> None:
    """What a file says beyond what this version knows stands in the header, escaped; else there is no such part."""
    chain = Chain.from_dict(
        {"name": "a", "events": [], "created_at": "2026-01-01T00:00:00Z", "reviewed_by": {"name": "<b>Ann</b>"}}
    )
    page = to_html(chain)
    assert "<summary>Other keys of the chain</summary>" in page
    assert "reviewed_by" in page
    assert "&lt;b&gt;Ann" in page
    assert "Other keys of the chain" not in to_html(Chain("a", created_at=START))


def test_faults_of_the_links_are_listed() -> None:
    """Missing parents, missing dependencies and cycles are told in words, whatever the ids."""
    chain = Chain("a", created_at=START)
    chain.add(Event.new("decision_made", "a", "b", id="<x>", timestamp=START, parent_id="y", depends_on=["gone"]))
    chain.add(Event.new("decision_made", "a", "b", id="y", timestamp=START, parent_id="<x>"))
    page = to_html(chain)
    assert "2 faults in the links between events" in page
    assert "event &lt;x&gt;: it depends on gone" in page


def test_without_javascript_there_is_a_plain_list() -> None:
    """The first hundred events stand in the page itself, with how many there are."""
    chain = Chain("many", created_at=START)
    for number in range(150):
        chain.add(Event.new("decision_made", f"decision {number}", "b", timestamp=START, alternatives=["x", "y"]))
    page = to_html(chain)
    plain = page[page.index("<noscript>") : page.index("</noscript>")]
    assert "The first 100 of 150 events" in plain
    assert plain.count("<li>") == 100
    assert "Instead of: x | y" in plain
    assert "decision 100" not in plain


def test_an_empty_chain_has_a_page() -> None:
    """No events, no name: still a page that says so."""
    page = to_html(Chain("", created_at=START))
    assert "(no name)" in page
    assert "This chain has no events." in page


@pytest.mark.parametrize("entry", event_types(), ids=lambda entry: entry.name)
def test_every_type_can_be_read_on_its_fill(entry: EventType) -> None:
    """The badge of each type has a contrast of 4.5 or more; in dark pages the two colours change places."""
    assert contrast(legible(entry), entry.fill) >= 4.5


@pytest.mark.parametrize(("color", "fill"), [("#eeeeee", "#ffffff"), ("#ffffff", "#000000"), ("#202020", "#000000")])
def test_unreadable_colours_of_a_registered_type_are_mended(color: str, fill: str) -> None:
    """A type registered with colours that cannot be told apart is darkened, or white on a dark fill."""
    assert contrast(legible(EventType("x", "y", "z", color=color, fill=fill)), fill) >= 4.5

"""The program in an answer, without the prose around it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible.trace.parsing import CodeBlock, code_blocks, extract_code, parse, split_events_and_code

DATA = Path(__file__).parent / "data"
EVENT = '<event type="decision_made"><decision>d</decision><reasoning>r</reasoning></event>'


def answer(name: str) -> str:
    """Return a sample answer."""
    return (DATA / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Prose <code>\n  a = 1\nb\n</code> more <CODE>c</CODE> end", "  a = 1\nb\n\nc"),
        ("Prose\n```python\na = 1\n```\nmore\n~~~\nb\n~~~\nend", "a = 1\n\nb"),
        ("````md\n```js\nx\n```\n````", "```js\nx\n```"),
        ("- so:\n\n  ```py\n  if a:\n      b\n  ```\n", "if a:\n    b"),
        ("cut off:\n```python\na = 1\nb = ", "a = 1\nb ="),
        ("cut off: <code>\na = 1\nb = ", "a = 1\nb ="),
        (f"<code>\na = 1\n{EVENT}", "a = 1"),
        (f"```python\na = 1\n{EVENT}", "a = 1"),
        ("<code>\n```python\na = 1\n```\n</code>", "a = 1"),
        ("<code>\n```html\n<code>x</code>\n</code>\n```\n</code>", "<code>x</code>\n</code>"),
        ("<code><![CDATA[if a < b: pass]]></code>", "if a < b: pass"),
        ("<code><p>a &lt; b <code>x</code></p></code>", "<p>a &lt; b <code>x</code></p>"),
        ("<code>tag = '<code>'</code> prose <code>b</code>", "tag = '<code>'\n\nb"),
        ("the program is in `<code>`:\n<code>a</code>", "a"),
        (f"the <code> section follows.\n{EVENT}\n<code>a</code>", "a"),
        ('<event type="x"><reasoning>uses <code>f()</code></reasoning><code>g()</code></event>', ""),
        ('<event type="x"><reasoning>\n```python\nf()\n```\n</reasoning></event>\n```python\ng()\n```', "g()"),
        ('<event type="x"><decision>cut\n\n<code>a</code>', "a"),
        (f"```xml\n{EVENT}\n```\n", ""),
        ("<code> \n </code>\n```\na\n```", "a"),
        ("no code at all", ""),
        ("", ""),
    ],
)
def test_only_the_code_comes_out(text: str, code: str) -> None:
    """`<code>` first, else fences; nothing of events, prose or marks."""
    assert extract_code(text) == code


def test_blocks_have_language_and_line() -> None:
    """The language is the fence's first word; the line is that of the first line of code."""
    assert code_blocks("a\n```Python title=x\n\nb\n```\n~~~\nc\n~~~\n<x>\n") == [
        *(CodeBlock("python", "b", 4), CodeBlock("", "c", 7))
    ]
    assert code_blocks("\n<code>\n\na\n</code>") == [CodeBlock("", "a", 4)]
    assert code_blocks("```{.rust}\na\n```")[0].language == "rust"


def test_splitting_takes_the_code_out() -> None:
    """Events come back from the rest; without code the rest is the text."""
    text = f"before {EVENT} <code>a</code> between {EVENT}\n```\nno code\n```"
    rest, code = split_events_and_code(text)
    assert (rest, code) == (text.replace("<code>a</code>", ""), "a")
    assert len(parse(rest).events) == 2
    assert split_events_and_code(f"{EVENT}\n```py\na\n```\nend") == (f"{EVENT}\n\nend", "a")
    assert split_events_and_code("so <b>") == ("so <b>", "")


def test_real_answers() -> None:
    """Programs of the sample answers are whole, and compile where they are Python."""
    code = extract_code(answer("claude_markdown"))
    assert code.startswith("import time\n")
    assert code.endswith("return True")
    compile(code, "answer", "exec")
    blocks = code_blocks(answer("gpt_fenced"))
    assert [block.language for block in blocks] == ["python", "python"]
    for block in blocks:
        compile(block.text, "answer", "exec")
    assert extract_code(answer("truncated")) == "def parse(text):\n    stack = []"
    assert extract_code(answer("gemini_attributes")) == '```js\nconsole.log("hello");\n```'

"""The tokenizer's own chat template: what transformers renders, with masks that are exact, and no words as tokens."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from crucible.errors import BadResponse, DataError
from crucible.text import ChatTemplate, FastTokenizer, Message, TemplateRenderer, load_tokenizer, render_conversation
from crucible.text.template import RenderJob

HERE = Path(__file__).parent / "templates"
NAMES = ("llama3", "chatml", "chatml_generation", "qwen3")
FAMILY = {"llama3": "llama3", "alternating": "role_colon"}
SYSTEM = {"role": "system", "content": "Be brief."}
TALK = [
    {"role": "user", "content": "How many clips did Natalia sell? "},
    {"role": "assistant", "content": "48 in April,\n\n24 in May."},
    {"role": "user", "content": "  Altogether?\n"},
    {"role": "assistant", "content": "72 — émile ✓"},
]
TOOL = {
    "type": "function",
    "function": {"name": "add", "description": "Adds <two>.", "parameters": {"type": "object", "properties": {}}},
}
CALLING = [
    {"role": "user", "content": "Add 1 and 2."},
    {
        "role": "assistant",
        "content": "I add.",
        "reasoning_content": "They want a sum.",
        "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": "zwei ü"}}}],
    },
    {"role": "tool", "content": "3"},
    {"role": "assistant", "content": "It is 3."},
]
Make = Callable[..., FastTokenizer]


def source(name: str) -> str:
    """Return a template of the folder beside this file."""
    return (HERE / f"{name}.jinja").read_text(encoding="utf-8").rstrip("\n")


@pytest.fixture(scope="module", params=NAMES)
def pair(request: pytest.FixtureRequest, make_tokenizer: Make, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A renderer, and transformers' tokenizer of the same folder."""
    made = make_tokenizer(FAMILY.get(request.param, "qwen3"))
    folder = made.save(tmp_path_factory.mktemp(request.param))
    (folder / "chat_template.jinja").write_text(source(request.param), encoding="utf-8")
    return TemplateRenderer(load_tokenizer(folder)), AutoTokenizer.from_pretrained(str(folder))


def trained(renderer: TemplateRenderer, talk: Any, train_on: str) -> list[str]:
    """Return the trained stretches as texts."""
    tokens, weights = renderer.weighted(talk, train_on)
    stretches: list[list[int]] = []
    was = 0.0
    for token, weight in zip(tokens, weights, strict=True):
        if weight and not was:
            stretches.append([])
        if weight:
            stretches[-1].append(token)
        was = weight
    return [renderer.tokenizer._core.decode(each, skip_special_tokens=False) for each in stretches]


@pytest.mark.parametrize("talk", [TALK, [SYSTEM, *TALK], TALK[:1], TALK[:3]], ids=["four", "system", "one", "three"])
def test_text_and_tokens_are_those_of_transformers(pair: Any, talk: Any) -> None:
    """Text, tokens and prompt equal `apply_chat_template`'s."""
    ours, theirs = pair
    for answer in (False, True):
        assert ours.text(talk, add_generation_prompt=answer) == theirs.apply_chat_template(
            talk, tokenize=False, add_generation_prompt=answer
        )
    ids = theirs.apply_chat_template(talk, return_dict=False)
    assert ours.weighted(talk, "all_tokens").tokens == ids
    prompt = theirs.apply_chat_template(talk, add_generation_prompt=True, return_dict=False)
    assert list(ours.build_generation_prompt(talk).tokens) == prompt
    if talk[-1]["role"] == "assistant":
        assert ours.weighted(talk, "last_assistant_message").tokens == ids


def test_only_the_last_answer_is_trained_on_and_the_prompt_precedes_it(pair: Any) -> None:
    """The trained part is what follows the generation prompt, up to the token that ends the turn."""
    ours, _ = pair
    tokens, weights = ours.weighted([SYSTEM, *TALK], "last_assistant_message")
    prompt = list(ours.build_generation_prompt([SYSTEM, *TALK[:3]]).tokens)
    assert tokens[: len(prompt)] == prompt
    assert weights.index(1.0) == len(prompt)
    (text,) = trained(ours, [SYSTEM, *TALK], "last_assistant_message")
    end = "<|eot_id|>" if ours.encoder.tokenizer.token_id("<|eot_id|>") else "<|im_end|>"
    assert text.endswith("72 — émile ✓" + end)
    assert text.removeprefix("<think>\n\n</think>\n\n") == "72 — émile ✓" + end


def test_every_mode_trains_on_what_it_says(pair: Any) -> None:
    """Messages by role without their headers; under all_tokens everything but the start token."""
    ours, _ = pair
    end = "<|eot_id|>" if ours.encoder.tokenizer.token_id("<|eot_id|>") else "<|im_end|>"
    talk = [SYSTEM, *TALK]
    first, last = trained(ours, talk, "all_assistant_messages")
    assert first == "48 in April,\n\n24 in May." + end
    assert last.endswith("72 — émile ✓" + end)
    asked = [each.strip() for each in trained(ours, talk, "all_user_and_system_messages")]
    assert [each.split(end)[0].strip() for each in asked] == [
        "Be brief.",
        "How many clips did Natalia sell?",
        "Altogether?",
    ]
    assert len(trained(ours, talk, "all_messages")) == 5
    chosen = [{**each, "trainable": index == 2} for index, each in enumerate(talk)]
    assert trained(ours, chosen, "customized") == [first]
    tokens, weights = ours.weighted(talk, "all_tokens")
    start = ours.encoder.tokenizer.named_tokens.get("bos_token")
    expected = [1.0] * len(tokens)
    if start is not None:
        assert tokens[0] == ours.encoder.tokenizer.token_id(start)
        expected[0] = 0.0
    assert weights == expected


def test_generation_blocks_give_the_mask_of_transformers(make_tokenizer: Make, tmp_path: Path) -> None:
    """With `{% generation %}` blocks, all_assistant_messages is transformers' assistant mask."""
    made = make_tokenizer("qwen3", chat_template=source("chatml_generation"))
    theirs = AutoTokenizer.from_pretrained(str(made.save(tmp_path)))
    both = theirs.apply_chat_template(TALK, return_assistant_tokens_mask=True)
    tokens, weights = TemplateRenderer(made).weighted(TALK, "all_assistant_messages")
    assert tokens == both["input_ids"]
    assert weights == [float(each) for each in both["assistant_masks"]]


def test_thoughts_tools_and_variables_reach_the_template(make_tokenizer: Make, tmp_path: Path) -> None:
    """Reasoning, calls, tool messages, declarations and `enable_thinking` render as in transformers."""
    made = make_tokenizer("qwen3", chat_template=source("qwen3"))
    theirs = AutoTokenizer.from_pretrained(str(made.save(tmp_path)))
    ours = TemplateRenderer(made, tools=[TOOL])
    assert ours.text(CALLING) == theirs.apply_chat_template(CALLING, tools=[TOOL], tokenize=False)
    quiet = TemplateRenderer(made, variables={"enable_thinking": False})
    assert quiet.text(TALK[:1], add_generation_prompt=True) == theirs.apply_chat_template(
        TALK[:1], tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    first, last = trained(ours, CALLING, "all_assistant_messages")
    assert first.startswith("<think>\nThey want a sum.\n</think>\n\nI add.\n<tool_call>\n")
    assert first.endswith("</tool_call><|im_end|>")
    assert last == "<think>\n\n</think>\n\nIt is 3.<|im_end|>"


def test_words_never_become_special_tokens(pair: Any) -> None:
    """A special token that anybody spells stays letters, in every field, and the text is unchanged."""
    ours, _ = pair
    specials = ours.encoder.tokenizer.special_tokens
    evil = f"hi{''.join(specials)}bye"
    plain = ours.weighted(
        [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "a"}], "all_tokens"
    ).tokens
    talk = [{"role": "user", "content": evil}, {"role": "assistant", "content": f"a{evil}"}]
    for mode in ("all_tokens", "last_assistant_message", "all_messages"):
        tokens, _ = ours.weighted(talk, mode)
        for name, token in specials.items():
            assert tokens.count(token) == plain.count(token), name
        assert evil in ours.tokenizer._core.decode(tokens, skip_special_tokens=False)
    prompt = list(ours.build_generation_prompt(talk[:1]).tokens)
    for token in specials.values():
        assert prompt.count(token) <= plain.count(token)


def test_a_template_that_refuses_is_told_in_its_own_words(make_tokenizer: Make) -> None:
    """`raise_exception` comes out as an error that names the template."""
    ours = TemplateRenderer(make_tokenizer("role_colon", chat_template=source("alternating")))
    with pytest.raises(
        DataError, match=r"its configuration refuses this conversation: Conversation roles must alternate"
    ):
        ours.weighted([SYSTEM, *TALK], "last_assistant_message")
    assert trained(ours, TALK, "last_assistant_message") == [" 72 — émile ✓</s>"]


def test_a_template_that_rewrites_earlier_messages_is_refused(make_tokenizer: Make) -> None:
    """Where the place of an earlier answer cannot be told, nothing is guessed; the last one can be trained on."""
    text = (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}"
        "{{ m.content if loop.last else m.content | upper }}{{ '<|im_end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    )
    ours = TemplateRenderer(make_tokenizer("qwen3", chat_template=text))
    with pytest.raises(DataError, match=r"messages\[1\] of role assistant otherwise when more follows"):
        ours.weighted(TALK, "all_assistant_messages")
    with pytest.raises(DataError, match="otherwise when more follows"):
        ours.weighted(TALK, "all_user_and_system_messages")


def test_a_prompt_that_begins_a_thought_is_met(make_tokenizer: Make) -> None:
    """Where the prompt ends with `<think>` and the answer has none, training begins after the header."""
    text = (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}"
    )
    ours = TemplateRenderer(make_tokenizer("qwen3", chat_template=text))
    assert trained(ours, TALK, "last_assistant_message") == ["72 — émile ✓<|im_end|>"]


@pytest.mark.parametrize(
    ("talk", "says"),
    [
        (TALK[:3], "trains on the last message, and that is of role 'user'"),
        ([], "empty"),
        ([{"role": "user", "content": [{"type": "image", "url": "x"}]}, TALK[1]], "has an image"),
    ],
)
def test_what_cannot_be_trained_on_is_an_error(make_tokenizer: Make, talk: Any, says: str) -> None:
    """Nothing comes out with weights that are all zero."""
    ours = TemplateRenderer(make_tokenizer("qwen3", chat_template=source("chatml")))
    with pytest.raises(DataError, match=says):
        ours.weighted(talk, "last_assistant_message")


def test_other_roles_do_not_answer(make_tokenizer: Make) -> None:
    """A template begins answers of the assistant only; its answers are read as text."""
    made = make_tokenizer("qwen3", chat_template=source("chatml"))
    ours = TemplateRenderer(made)
    with pytest.raises(DataError, match="assistant only"):
        ours.build_generation_prompt(TALK[:1], role="user")
    begun = ours.build_generation_prompt(TALK[:1], prefill="48").tokens
    assert list(begun) == [*ours.build_generation_prompt(TALK[:1]).tokens, *made.encode("48")]
    assert ours.stop_sequences == [made.eos_id]
    message, is_complete = ours.parse_response([*made.encode("72"), made.eos_id])
    assert (message.content, is_complete) == ("72", True)
    assert ours.parse_response(made.encode("72")) == (Message("assistant", "72"), False)
    with pytest.raises(BadResponse, match="got 3"):
        ours.parse_response([made.eos_id, made.eos_id])


def test_the_template_says_what_ends_an_answer(make_tokenizer: Make) -> None:
    """Where the tokenizer's end token is not the one that ends a turn, both stop; otherwise the end token."""
    made = make_tokenizer("qwen3", chat_template=source("chatml"), eos_token="<|endoftext|>")
    ours = TemplateRenderer(made)
    assert ours.stop_sequences == [made.token_id("<|im_end|>"), made.eos_id]
    assert ours.parse_response(made.encode("72<|im_end|>")) == (Message("assistant", "72"), True)
    for text in ("{{ raise_exception('never') }}", "{% for m in messages %}{{ m.content }}{% endfor %}"):
        bare = make_tokenizer("qwen3", chat_template=text)
        assert TemplateRenderer(bare).stop_sequences == [bare.eos_id]


def test_many_threads_get_the_same(make_tokenizer: Make) -> None:
    """Renderings from eight threads at once equal those of one."""
    ours = TemplateRenderer(make_tokenizer("qwen3", chat_template=source("qwen3")))
    talks = [[*TALK[:3], {"role": "assistant", "content": f"answer {index}"}] for index in range(40)]
    one = [ours.weighted(talk, "last_assistant_message") for talk in talks]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda talk: ours.weighted(talk, "last_assistant_message"), talks)) == one


def test_templates_are_found_where_transformers_looks(make_tokenizer: Make, tmp_path: Path) -> None:
    """The file wins over the configuration, named ones are chosen for tools, and all are saved again."""
    named = [{"name": "default", "template": source("chatml")}, {"name": "tool_use", "template": "tools!"}]
    folder = make_tokenizer("qwen3", chat_template=named).save(tmp_path / "a")
    opened = load_tokenizer(folder)
    assert TemplateRenderer(opened).template.text == source("chatml")
    assert TemplateRenderer(opened, tools=[TOOL]).template.text == "tools!"
    (folder / "chat_template.jinja").write_text("file", encoding="utf-8")
    (folder / "additional_chat_templates" / "rag.jinja").write_text("rag", encoding="utf-8")
    found = load_tokenizer(folder)
    assert {name: each.text for name, each in found.chat_templates.items()} == {
        "default": "file",
        "tool_use": "tools!",
        "rag": "rag",
    }
    bare = make_tokenizer("qwen3").save(tmp_path / "b")
    (bare / "chat_template.jinja").write_text("alone", encoding="utf-8")
    again = load_tokenizer(bare).save(tmp_path / "c")
    assert load_tokenizer(again).chat_templates["default"].text == "alone"
    config = json.loads((again / "tokenizer_config.json").read_text(encoding="utf-8"))
    (again / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": "older"}), encoding="utf-8")
    saved = load_tokenizer(again).save(tmp_path / "d")  # the file still wins
    assert load_tokenizer(saved).chat_templates["default"].text == "alone"
    assert AutoTokenizer.from_pretrained(str(saved)).chat_template == "alone"
    make_tokenizer("qwen3").save(saved)
    assert load_tokenizer(saved).chat_templates == {}
    with pytest.raises(DataError, match=r"named '\.\./out'"):
        make_tokenizer("qwen3", chat_template={"../out": "x"}).save(tmp_path / "e")


def test_bad_templates_are_errors_by_name(make_tokenizer: Make, tmp_path: Path) -> None:
    """A template that is no text, or none that is the usual one, is told with the file's name."""
    with pytest.raises(DataError, match="is int, expected text"):
        make_tokenizer("qwen3", chat_template=3)
    with pytest.raises(DataError, match="an entry that is no name with a template"):
        make_tokenizer("qwen3", chat_template=[{"name": "default"}])
    with pytest.raises(DataError, match="only rag"):
        TemplateRenderer(make_tokenizer("qwen3", chat_template={"rag": "x"}))
    folder = make_tokenizer("qwen3").save(tmp_path)
    (folder / "chat_template.jinja").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"cannot read the chat template .*chat_template\.jinja"):
        load_tokenizer(folder)
    (folder / "chat_template.jinja").write_text("{% for %}", encoding="utf-8")
    with pytest.raises(DataError, match=r"chat_template\.jinja cannot be read: line 1"):
        render_conversation(load_tokenizer(folder), TALK)


def test_a_template_travels_to_another_process() -> None:
    """It pickles without its process."""
    template = ChatTemplate("{{ messages[0].content }}", "here")
    assert template.render([RenderJob([{"role": "user", "content": "x"}])])[0].text == "x"
    again = pickle.loads(pickle.dumps(template))
    assert again.render([RenderJob([{"role": "user", "content": "y"}])])[0].text == "y"
    template.close()
    again.close()


def test_parts_are_for_the_template_to_write(make_tokenizer: Make) -> None:
    """Messages in parts reach the template as parts, and are found in what it writes."""
    text = (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}"
        "{% if m.content is string %}{{ m.content }}{% else %}"
        "{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}"
        "{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    )
    ours = TemplateRenderer(make_tokenizer("qwen3", chat_template=text))
    parts = [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}]
    talk = [{"role": "user", "content": parts}, {"role": "assistant", "content": "c"}]
    assert trained(ours, talk, "all_messages") == ["a b<|im_end|>", "c<|im_end|>"]
    assert trained(ours, [{"role": "user", "content": []}, talk[1]], "last_assistant_message") == ["c<|im_end|>"]


def test_a_template_that_cannot_write_the_beginning_is_told(make_tokenizer: Make) -> None:
    """Where the prompt of an answer, or the talk up to it, is refused by the template, its words come out."""
    fails = (
        "{% if {} %}{{ raise_exception('not so short') }}{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    for condition in ("add_generation_prompt", "messages | length == 2 and not add_generation_prompt"):
        ours = TemplateRenderer(make_tokenizer("qwen3", chat_template=fails.replace("{}", condition)))
        with pytest.raises(DataError, match="refuses this conversation: not so short"):
            ours.weighted(TALK, "all_assistant_messages")
    swallowing = "{% for m in messages if m.role != 'user' %}{{ m.content }}{% endfor %}"
    with pytest.raises(DataError, match=r"writes messages\[0\] of role user otherwise"):
        TemplateRenderer(make_tokenizer("qwen3", chat_template=swallowing)).weighted(TALK[:2], "all_messages")
    split = "{% for m in messages %}{{ m.content.split('|')[0] }}{% endfor %}{% if add_generation_prompt %}!{% endif %}"
    marked = [TALK[0], {"role": "assistant", "content": "|"}]
    with pytest.raises(DataError, match=r"writes messages\[1\] of role assistant otherwise"):
        TemplateRenderer(make_tokenizer("qwen3", chat_template=split)).weighted(marked, "last_assistant_message")


ONE = {"role": "user", "content": "x"}
SPELLED = "<|im_start|>"
BY_PARTS = [{"type": "text", "text": "<|im_"}, {"type": "text", "text": "start|>"}]
JOINED = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}"
    "{% for p in m.content %}{{ p.text | trim if p.text else p }}{% endfor %}{{ '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def test_no_disguise_makes_words_special_tokens(make_tokenizer: Make) -> None:
    """JSON escapes in arguments, ids of calls, keys of tools and parts that meet: letters all of them."""
    made = make_tokenizer("qwen3", chat_template=source("qwen3"))
    ours = TemplateRenderer(made)
    start = made.token_id(SPELLED)
    for call in (
        {"function": {"name": "f", "arguments": '{"a": "\\u003c|im_start|>", "\\u003c|im_start|>": 1}'}},
        {"id": SPELLED, "function": {"name": "f", "arguments": {}}},
        {"function": {"name": SPELLED, "arguments": {}}},
    ):
        tokens, _ = ours.weighted([ONE, {"role": "assistant", "tool_calls": [call]}], "last_assistant_message")
        assert tokens.count(start) == 2
    declared = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {SPELLED: {}}}}}]
    prompt = TemplateRenderer(made, tools=declared).build_generation_prompt([ONE]).tokens
    assert prompt.count(start) == 3  # the system's, where tools are declared, the user's and the answer's
    assert SPELLED in made._core.decode(list(prompt), skip_special_tokens=False).split(SPELLED + "user")[0]
    joined = TemplateRenderer(make_tokenizer("qwen3", chat_template=JOINED))
    for parts in (BY_PARTS, [{"type": "text", "text": "<|im_ "}, {"type": "text", "text": " start|>"}]):
        talk = [{"role": "user", "content": parts}, {"role": "assistant", "content": "a"}]
        assert joined.weighted(talk, "last_assistant_message").tokens.count(start) == 2


# What Mistral's template does: the system message goes into the last user's.
MISTRAL = (
    "{{ bos_token }}{% set s = messages[0].content if messages[0].role == 'system' %}"
    "{% set ms = messages[1:] if messages[0].role == 'system' else messages %}"
    "{% set n = ms | selectattr('role', 'equalto', 'user') | list | length %}{% set seen = namespace(n=0) %}"
    "{% for m in ms %}{% if m.role == 'user' %}{% set seen.n = seen.n + 1 %}"
    "[INST] {% if s and seen.n == n %}{{ s + '\\n\\n' }}{% endif %}{{ m.content }}[/INST]"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)


def test_an_answer_whose_prompt_was_written_otherwise_is_found(make_tokenizer: Make) -> None:
    """Where what precedes an answer changes as more follows, the mask is still the answer's alone."""
    mistral = TemplateRenderer(make_tokenizer("role_colon", chat_template=MISTRAL, bos_token="<s>"))
    assert trained(mistral, [SYSTEM, *TALK], "all_assistant_messages") == [
        " 48 in April,\n\n24 in May.</s>",
        " 72 — émile ✓</s>",
    ]
    qwen = TemplateRenderer(make_tokenizer("qwen3", chat_template=source("qwen3")))
    two = [ONE, {"role": "assistant", "content": "first"}, {"role": "assistant", "content": "second"}]
    last = "<think>\n\n</think>\n\nsecond<|im_end|>"
    assert trained(qwen, two, "last_assistant_message") == [last]
    assert "".join(trained(qwen, two, "all_assistant_messages")) == f"first<|im_end|>{last}"
    # Thoughts of an earlier turn are gone once the user asks again.
    call = {"function": {"name": "add", "arguments": {}}}
    calls = [{"role": "assistant", "thinking": f"t{each}", "tool_calls": [call]} for each in (1, 2)]
    tool = {"role": "tool", "content": "3"}
    talk = [ONE, calls[0], tool, calls[1], tool, {"role": "assistant", "content": "It is 3."}, *TALK[:2]]
    for index, says in ((1, "<tool_call>"), (3, "<tool_call>"), (5, "It is 3.")):
        chosen = [{**each, "trainable": at == index} for at, each in enumerate(talk)]
        (text,) = trained(qwen, chosen, "customized")
        assert text.startswith(says)
        assert text.count("<|im_end|>") == 1


def test_a_template_of_a_known_family_has_its_answers_read(make_tokenizer: Make) -> None:
    """Thoughts and calls come out of what the template wrote; other templates give text."""
    made = make_tokenizer("qwen3", chat_template=source("qwen3"), eos_token="<|endoftext|>")
    ours = TemplateRenderer(made)
    tokens, weights = ours.weighted(CALLING[:2], "last_assistant_message")
    said = [token for token, weight in zip(tokens, weights, strict=True) if weight]
    message, is_complete = ours.parse_response(said)
    assert (message.thinking, message.content, is_complete) == ("They want a sum.", "I add.", True)
    (call,) = message.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("add", {"a": 1, "b": "zwei ü"})
    assert ours.parse_response([*said[:-1], made.eos_id]) == (message, True)  # the other stop
    assert ours.parse_response(said[:-1]) == (message, False)
    broken = made.encode("<tool_call>\n{no}\n</tool_call><|im_end|>")
    assert ours.parse_response(broken) == (Message("assistant", "<tool_call>\n{no}\n</tool_call>"), False)
    plain = TemplateRenderer(make_tokenizer("qwen3", chat_template=source("chatml")))
    assert plain.parse_response(broken) == (Message("assistant", "<tool_call>\n{no}\n</tool_call>"), True)
    harmony = (
        "{% for m in messages %}{{ '<|start|>' + m.role + '<|channel|>final<|message|>' + m.content + '<|return|>' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"
    )
    oss = make_tokenizer("gpt_oss", chat_template=harmony)
    assert TemplateRenderer(oss).stop_sequences == [oss.token_id("<|return|>"), oss.token_id("<|call|>")]
    lacking = TemplateRenderer(make_tokenizer("role_colon", chat_template=source("qwen3")))
    assert lacking.parse_response(lacking.tokenizer.encode("<tool_call>"))[0].content == "<tool_call>"

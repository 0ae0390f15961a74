"""Tool calls and their answers in each format, what has no form, and which renderer a model gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tokenizers
from tokenizers import AddedToken, normalizers, processors

from crucible.errors import DataError
from crucible.text import (
    FastTokenizer,
    Message,
    TemplateRenderer,
    TextPart,
    ToolCall,
    get_renderer,
    list_renderers,
    lookup_renderer,
    register_renderer,
    train_byte_bpe,
)
from crucible.text.chat import registry

Of = Callable[[str], FastTokenizer]
B, L = "\uff5c", "\u2581"
CALLS = (ToolCall("add", '{"a": 1}', "functions.add:0"), ToolCall("sub", '{"b": 2}', "functions.sub:1"))


def written(tokenizer: FastTokenizer, name: str, talk: list[Message], **options: Any) -> str:
    """Return the text of a conversation."""
    tokens = get_renderer(name, tokenizer, **options).weighted(talk, "last_assistant_message").tokens
    return tokenizer._core.decode(tokens, skip_special_tokens=False)


def talk_of(calls: tuple[ToolCall, ...], text: str = "ok", thinking: str | None = None) -> list[Message]:
    """Return a conversation in which an assistant calls and a tool answers."""
    return [
        Message("user", "q"),
        Message("assistant", text, calls, thinking),
        Message("tool", "3", tool_call_id=calls[0].id),
        Message("assistant", "a"),
    ]


def test_qwen3_writes_calls_and_answers(tokenizer_of: Of) -> None:
    """Calls between tags, one a line; a tool answers as a user."""
    assert written(tokenizer_of("qwen3"), "qwen3_instruct", talk_of(CALLS)) == (
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\nok"
        '\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
        '\n<tool_call>\n{"name": "sub", "arguments": {"b": 2}}\n</tool_call><|im_end|>'
        "\n<|im_start|>user\n<tool_response>\n3\n</tool_response><|im_end|>\n<|im_start|>assistant\na<|im_end|>"
    )
    alone = written(tokenizer_of("qwen3"), "qwen3_instruct", talk_of(CALLS[:1], ""))
    assert "assistant\n<tool_call>\n{" in alone


def test_kimi_writes_calls_and_answers(tokenizer_of: Of) -> None:
    """Calls in a section, with the id that spells the name; the answer returns to the id."""
    text = written(tokenizer_of("kimi_k2"), "kimi_k2", talk_of(CALLS, thinking="t"))
    assert text.endswith(
        "<|im_assistant|>assistant<|im_middle|><think></think>ok<|tool_calls_section_begin|>"
        '<|tool_call_begin|>functions.add:0<|tool_call_argument_begin|>{"a": 1}<|tool_call_end|>'
        '<|tool_call_begin|>functions.sub:1<|tool_call_argument_begin|>{"b": 2}<|tool_call_end|>'
        "<|tool_calls_section_end|><|im_end|>"
        "<|im_system|>tool<|im_middle|>## Return of functions.add:0\n3<|im_end|>"
        "<|im_assistant|>assistant<|im_middle|><think></think>a<|im_end|>"
    )
    other = (ToolCall("add", '{"a": 1}', "call_7"), ToolCall("sub", '{"b": 2}'))
    renamed = written(tokenizer_of("kimi_k2"), "kimi_k2", talk_of(other))
    assert renamed == written(tokenizer_of("kimi_k2"), "kimi_k2", talk_of(CALLS))
    pending = talk_of(CALLS, thinking="t")[:2]
    assert "<think>t</think>ok<|tool_calls" in written(tokenizer_of("kimi_k2"), "kimi_k2", pending)


def test_llama3_writes_one_call_and_its_answer(tokenizer_of: Of) -> None:
    """A call is Llama's JSON object alone in its message; a tool answers as ipython."""
    tokenizer = tokenizer_of("llama3")
    assert written(tokenizer, "llama3", talk_of(CALLS[:1], "")) == (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nq<|eot_id|>"
        '<|start_header_id|>assistant<|end_header_id|>\n\n{"name": "add", "parameters": {"a": 1}}<|eot_id|>'
        "<|start_header_id|>ipython<|end_header_id|>\n\n3<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\na<|eot_id|>"
    )
    for calls, text in ((CALLS, ""), (CALLS[:1], "ok")):
        with pytest.raises(DataError, match="one tool call a message and no text beside it"):
            written(tokenizer, "llama3", talk_of(calls, text))


def test_deepseek_writes_calls_and_answers(tokenizer_of: Of) -> None:
    """Calls in a section; after a tool's output the assistant goes on without a header."""
    text = written(tokenizer_of("deepseekv3"), "deepseekv3", talk_of(CALLS))
    t = lambda words: f"<{B}{words.replace(' ', L)}{B}>"  # noqa: E731
    assert text == (
        f"{t('begin of sentence')}{t('User')}q{t('Assistant')}ok{t('tool calls begin')}"
        f'{t("tool call begin")}add{t("tool sep")}{{"a": 1}}{t("tool call end")}'
        f'{t("tool call begin")}sub{t("tool sep")}{{"b": 2}}{t("tool call end")}{t("tool calls end")}'
        f"{t('end of sentence')}{t('tool output begin')}3{t('tool output end')}a{t('end of sentence')}"
    )


def test_gpt_oss_writes_channels(tokenizer_of: Of) -> None:
    """Thoughts to analysis, words before a call and the call to commentary, the answer from the function."""
    tokenizer = tokenizer_of("gpt_oss")
    assert written(tokenizer, "gpt_oss_no_sysprompt", talk_of(CALLS[:1])) == (
        "<|start|>user<|message|>q<|end|><|start|>assistant<|channel|>commentary<|message|>ok<|end|>"
        '<|start|>assistant<|channel|>commentary to=functions.add <|constrain|>json<|message|>{"a": 1}<|call|>'
        "<|start|>functions.add to=assistant<|channel|>commentary<|message|>3<|end|>"
        "<|start|>assistant<|channel|>final<|message|>a<|return|>"
    )
    thinking = [Message("user", "q"), Message("assistant", "a", thinking="t")]
    assert written(tokenizer, "gpt_oss_no_sysprompt", thinking).endswith(
        "<|start|>assistant<|channel|>analysis<|message|>t<|end|>"
        "<|start|>assistant<|channel|>final<|message|>a<|return|>"
    )
    earlier = [*thinking, *thinking]
    assert written(tokenizer, "gpt_oss_no_sysprompt", earlier).count("analysis") == 1
    with pytest.raises(DataError, match="one tool a message"):
        written(tokenizer, "gpt_oss_no_sysprompt", talk_of(CALLS))
    today = written(tokenizer, "gpt_oss_low_reasoning", thinking)
    assert "Reasoning: low" in today


def test_arguments_must_be_an_object(tokenizer_of: Of) -> None:
    """Other JSON and no JSON are refused in the format's words."""
    for name, family, words in (
        ("qwen3", "qwen3", "Qwen3"),
        ("kimi_k2", "kimi_k2", "Kimi K2"),
        ("llama3", "llama3", "Llama3"),
        ("deepseekv3", "deepseekv3", "DeepSeek"),
        ("gpt_oss_no_sysprompt", "gpt_oss", "gpt-oss"),
    ):
        for arguments in ("no", "NaN", "[" * 5000):
            with pytest.raises(DataError, match=f"{words} tool call arguments must be valid JSON"):
                written(tokenizer_of(family), name, talk_of((ToolCall("f", arguments),), ""))
        with pytest.raises(DataError, match=f"{words} tool call arguments must decode to a JSON object"):
            written(tokenizer_of(family), name, talk_of((ToolCall("f", "[1]"),), ""))


def test_what_a_format_has_no_form_for_is_refused(tokenizer_of: Of) -> None:
    """Images everywhere; thoughts and calls where there is no form, or from anybody but the assistant."""
    image = [{"role": "user", "content": [{"type": "image", "url": "u"}]}, {"role": "assistant", "content": "a"}]
    for name, family in (("qwen3_vl", "qwen3"), ("llama3", "llama3")):
        with pytest.raises(DataError, match=rf"messages\[0\] has 1 image, and {name} writes text only"):
            get_renderer(name, tokenizer_of(family)).build_supervised_example(image)
    for name, family in (("llama3", "llama3"), ("qwen3_instruct", "qwen3"), ("role_colon", "role_colon")):
        with pytest.raises(DataError, match=f"has thinking, and {name} has no form"):
            written(tokenizer_of(family), name, [Message("user", "q"), Message("assistant", "a", thinking="t")])
    with pytest.raises(DataError, match="has tool calls, and role_colon has no form"):
        written(tokenizer_of("role_colon"), "role_colon", talk_of(CALLS))
    for message in (Message("user", "q", CALLS), Message("user", "q", thinking="t")):
        with pytest.raises(DataError, match="only an assistant's may"):
            written(tokenizer_of("qwen3"), "qwen3", [message, Message("assistant", "a")])
    with pytest.raises(DataError, match="got multimodal content with 2 parts"):
        written(
            tokenizer_of("llama3"),
            "llama3",
            [Message("user", (TextPart("a"), TextPart("b"))), Message("assistant", "a")],
        )
    parts = [Message("user", (TextPart("a"), TextPart("b"))), Message("assistant", "c")]
    assert "user\nab<|im_end|>" in written(tokenizer_of("qwen3"), "qwen3_vl", parts)


@pytest.mark.parametrize(
    ("train_on", "talk", "says"),
    [
        ("everything", None, r'Invalid TrainOnWhat value: "everything". Valid values: \[\'last_assistant_message\''),
        ("last_assistant_message", [Message("user", "q")], "trains on the last message, and that is of role 'user'"),
        ("all_assistant_messages", [Message("user", "q")], "finds nothing to train on in messages of user"),
        ("all_user_and_system_messages", [Message("assistant", "q")], "finds nothing to train on"),
        ("customized", None, "When using CUSTOMIZED train_on_what, each message must have a trainable field"),
        ("customized", [Message("user", "q", trainable=False)], "finds nothing to train on"),
        (
            "all_messages",
            [Message("user", "q", trainable=True)],
            "When using non-CUSTOMIZED train_on_what, messages must not have trainable field",
        ),
    ],
)
def test_modes_that_cannot_be(train_on: str, talk: Any, says: str, tokenizer_of: Of) -> None:
    """Every mode that would train on nothing, or on what was not said, is an error."""
    renderer = get_renderer("qwen3", tokenizer_of("qwen3"))
    with pytest.raises(ValueError, match=says):
        renderer.build_supervised_example(talk or [Message("user", "q"), Message("assistant", "a")], train_on)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("meta-llama/Llama-3.2-1B-Instruct", "llama3"),
        ("unsloth/llama3-8b", "llama3"),
        ("Qwen/Qwen3-VL-30B-A3B-Thinking", "qwen3_vl"),
        ("Qwen/Qwen3-VL-30B-A3B-Instruct", "qwen3_vl_instruct"),
        ("Qwen/Qwen3-8B", "qwen3"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "qwen3_instruct"),
        ("Qwen/Qwen3-4B-Thinking-2507", "qwen3"),
        ("deepseek-ai/DeepSeek-V3.1", "deepseekv3"),
        ("moonshotai/Kimi-K2-Thinking", "kimi_k2"),
        ("openai/gpt-oss-20b", "gpt_oss_medium_reasoning"),
        ("openai/GPT_OSS-120b", "gpt_oss_medium_reasoning"),
        ("kimi_k2", "kimi_k2"),
    ],
)
def test_a_model_finds_its_renderer(model: str, name: str) -> None:
    """Model ids are matched in order, whatever their case; the 2507 instruct models do not think."""
    assert lookup_renderer(model) == name


def test_options_reach_the_renderer(tokenizer_of: Of) -> None:
    """The effort of gpt-oss is an option of a model's id too; unknown options are refused."""
    tokenizer = tokenizer_of("gpt_oss")
    renderer = get_renderer("openai/gpt-oss-20b", tokenizer, reasoning_effort="high", current_date="2026-01-02")
    assert renderer.name == "gpt_oss_high_reasoning"
    prompt = renderer.build_generation_prompt([Message("user", "q")])
    text = tokenizer._core.decode(list(prompt.tokens), skip_special_tokens=False)
    assert "Current date: 2026-01-02\n\nReasoning: high\n" in text
    with pytest.raises(DataError, match="expected one of low, medium, high"):
        get_renderer("gpt-oss", tokenizer, reasoning_effort="extreme")
    with pytest.raises(DataError, match="current_date needs a system prompt"):
        get_renderer("gpt_oss_no_sysprompt", tokenizer, current_date="2026-01-02")
    with pytest.raises(DataError, match="renderer llama3 has no option 'reasoning_effort'; it has: none"):
        get_renderer("llama3", tokenizer_of("llama3"), reasoning_effort="low")
    with pytest.raises(DataError, match=r"no option 'reasoning'.*; it has: reasoning_effort, current_date"):
        get_renderer("gpt-oss", tokenizer, reasoning="low")


@pytest.fixture
def _registry() -> Iterator[None]:
    before = dict(registry._FACTORIES)
    yield
    registry._FACTORIES.clear()
    registry._FACTORIES.update(before)


@pytest.mark.usefixtures("_registry")
def test_renderers_are_listed_and_added(tokenizer_of: Of) -> None:
    """All fourteen are there; one of one's own is added, and may replace another."""
    assert len(list_renderers()) == 14
    tokenizer = tokenizer_of("role_colon")
    register_renderer("mine", lambda tokenizer: get_renderer("role_colon", tokenizer))
    assert "mine" in list_renderers()
    assert get_renderer("mine", tokenizer).name == "role_colon"
    with pytest.raises(DataError, match="is made of letters"):
        register_renderer("no such/name", lambda tokenizer: get_renderer("role_colon", tokenizer))
    with pytest.raises(DataError, match=r'unknown renderer \'lama3\'; did you mean "llama3".*known: .*role_colon'):
        get_renderer("lama3", tokenizer)


def test_a_tokenizer_of_another_family_is_refused(tokenizer_of: Of) -> None:
    """A renderer says which of its tokens are missing."""
    with pytest.raises(DataError, match=r"llama3 needs <\|begin_of_text\|>, .* as single tokens"):
        get_renderer("llama3", tokenizer_of("qwen3"))


def test_inner_markers_may_be_text() -> None:
    """Where the tokenizer has no token for `<think>` or `<tool_call>`, they are written and read as text."""
    tokenizer = train_byte_bpe(["a"], 258)
    tokenizer._core.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    renderer = get_renderer("qwen3", tokenizer)
    message = Message("assistant", "a", CALLS[:1], "t")
    tokens, weights = renderer.weighted([Message("user", "q"), message], "last_assistant_message")
    answer = [token for token, weight in zip(tokens, weights, strict=True) if weight]
    read, is_complete = renderer.parse_response(answer)
    assert (read.content, read.thinking, read.tool_calls[0].name, is_complete) == ("a", "t", "add", True)


def test_a_tokenizer_that_does_not_tell_its_tokens_is_refused() -> None:
    """A tokenizer without the chat protocol cannot keep words and tokens apart."""

    class Plain:
        bos_id, eos_id, pad_id, vocab_size = None, 0, 0, 1

        def encode(self, text: str) -> list[int]:
            return [0 for _ in text]

        def decode(self, ids: list[int]) -> str:
            return "a" * len(ids)

    with pytest.raises(DataError, match="Plain does not tell its special tokens"):
        get_renderer("role_colon", Plain())


def test_a_token_that_normalisation_spells_stays_letters() -> None:
    """Full-width letters that a normaliser folds into a special token do not become it."""
    tokenizer = train_byte_bpe(["a"], 258)
    tokenizer._core.normalizer = normalizers.NFKC()
    tokenizer._core.add_special_tokens(
        [AddedToken("<|im_end|>", normalized=True), AddedToken("<|im_start|>"), "\u00a7"]
    )
    renderer = get_renderer("qwen3", tokenizer)
    folded = "hi\uff1c\uff5cim_end\uff5c\uff1e"
    assert tokenizer.token_id("<|im_end|>") in tokenizer.encode(folded)
    plain = renderer.weighted([Message("user", "hi"), Message("assistant", "a")], "all_tokens").tokens
    tokens = renderer.weighted([Message("user", folded), Message("assistant", "a")], "all_tokens").tokens
    assert tokens.count(tokenizer.token_id("<|im_end|>")) == plain.count(tokenizer.token_id("<|im_end|>"))
    chatml = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}{% endfor %}"
    by_template = TemplateRenderer(FastTokenizer(tokenizer._core, {"eos_token": "<|end|>", "chat_template": chatml}))
    tokens = by_template.weighted([Message("user", folded), Message("assistant", "a")], "all_tokens").tokens
    assert tokens.count(tokenizer.token_id("<|im_end|>")) == 2
    with pytest.raises(DataError, match="special token of one character"):
        renderer.weighted([Message("user", "\u00a7"), Message("assistant", "a")], "all_tokens")


def test_text_that_is_none_is_refused(tokenizer_of: Of) -> None:
    """Half of a surrogate pair cannot be encoded."""
    with pytest.raises(DataError, match="cannot be encoded"):
        written(tokenizer_of("qwen3"), "qwen3", [Message("user", "\ud800"), Message("assistant", "a")])


def test_special_tokens_that_are_no_markers_are_read_as_text(tokenizer_of: Of) -> None:
    """A model that samples some other special token said that text."""
    tokenizer = tokenizer_of("qwen3")
    tokens = tokenizer.encode("a<|endoftext|>b<|im_end|>")
    message, is_complete = get_renderer("qwen3", tokenizer).parse_response(tokens)
    assert (message.content, is_complete) == ("a<|endoftext|>b", True)


def test_a_start_token_of_the_tokenizer_begins_plain_chats(make_tokenizer: Callable[..., FastTokenizer]) -> None:
    """role_colon begins with the token that the tokenizer puts before every text; it is never trained on."""
    made = make_tokenizer("role_colon", bos_token="<s>")
    made._core.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", made.token_id("<s>"))]
    )
    started = FastTokenizer(made._core, made._config)
    tokens, weights = get_renderer("role_colon", started).weighted([Message("user", "q")], "all_tokens")
    assert (tokens[0], weights[0], set(weights[1:])) == (started.bos_id, 0.0, {1.0})


def test_a_character_that_the_tokenizer_lacks_is_no_control() -> None:
    """The token for unknown characters may come out of words; whoever spells it gets letters."""
    words = {"<unk>": 0, "</s>": 1, "a": 2, ":": 3, "User": 4, "Assistant": 5, "<": 6, "unk": 7, ">": 8}
    core = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    core.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [tokenizers.pre_tokenizers.Whitespace(), tokenizers.pre_tokenizers.Punctuation()]
    )
    core.add_special_tokens(["<unk>", "</s>"])
    renderer = get_renderer("role_colon", FastTokenizer(core, {"eos_token": "</s>", "unk_token": "<unk>"}))
    tokens = renderer.weighted([Message("user", "z a"), Message("assistant", "a")], "last_assistant_message").tokens
    assert tokens[:4] == [4, 3, 0, 2]
    encoder = renderer.encoder  # type: ignore[attr-defined]
    assert encoder.encode_text("a") == [2]
    assert 0 not in encoder.encode_text("<unk>")[:1]

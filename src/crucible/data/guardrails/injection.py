"""Rules for prompt injection: text that tells a model to drop its instructions, give them away, or act for another.

English only. Each line is one way in which such texts are put; what they are tested against is in the guide.
"""

from __future__ import annotations

import re
from typing import Final

from crucible.data.guardrails.finding import Category, Severity
from crucible.data.guardrails.rule import Rule, phrase

__all__ = ["INJECTION_RULES"]

_DROP: Final = (
    r"(?:ignore|disregard|forget|override|overrule|bypass|discard|neglect|drop|stop following|do not follow|"
    r"don'?t follow|pay no attention to)"
)
_EARLIER: Final = (
    r"(?:previous|prior|preceding|above|earlier|former|initial|original|existing|system|your|you were (?:given|told))"
)
_ORDERS: Final = (
    r"(?:instructions?|directions?|directives?|prompts?|guidelines|guidance|programming|orders|commands?|rules)"
)
_HIDDEN_ORDERS: Final = (
    r"(?:(?:system|initial|original|hidden|secret|internal|developer|your|first) ){1,3}(?:prompts?|instructions?|"
    r"message|directives?|configuration)"
)
_TELL: Final = (
    r"(?:reveal|show|print|output|repeat|tell me|display|dump|leak|give me|write out|expose|disclose|recite|"
    r"what (?:is|are|was|were))"
)


def _rule(name: str, severity: Severity, hints: str, pattern: re.Pattern[str], *, on_original: bool = False) -> Rule:
    return Rule(
        name=name,
        category=Category.PROMPT_INJECTION,
        severity=severity,
        placeholder="[PROMPT_INJECTION]",
        pattern=pattern,
        hints=tuple(hints.split()),
        on_original=on_original,
    )


_ORDER_HINTS: Final = "instruct direct prompt guid programming order command rules"

# A table: name, severity and hints on one line, the words below.
# fmt: off
INJECTION_RULES: Final = (
    _rule(
        "drop_instructions", Severity.HIGH, _ORDER_HINTS,
        phrase(
            rf"{_DROP} (?:{_EARLIER} |all |any |of |the |these |those |my ){{1,5}}(?:other |safety "
            rf")?{_ORDERS}"
        ),
    ),
    _rule(
        "drop_instructions", Severity.HIGH, _ORDER_HINTS,
        phrase(
            rf"{_DROP} (?:all |any |of |the |these |those ){{0,3}}{_ORDERS} (?:you (?:were|have been) "
            r"|that came )?(?:above|before|given|earlier|so far)"
        ),
    ),
    _rule(
        "drop_instructions", Severity.HIGH, "told said learned taught instructed given",
        phrase(
            rf"{_DROP} (?:everything|all|anything|what(?:ever)?) (?:that )?(?:you|i|we|they) ... "
            r"(?:told|said|learned|taught|instructed|given)"
        ),
    ),
    _rule(
        "drop_instructions", Severity.HIGH, _ORDER_HINTS,
        phrase(
            rf"{_ORDERS} ... (?:before|above|earlier|previous) ... (?:override|ignore|disregard|void|"
            r"cancelled|canceled|suspended)(?: them)?"
        ),
    ),
    _rule(
        "drop_instructions", Severity.HIGH, "cancel void over obsolete replaced suspended",
        phrase(
            r"(?:your|all|the) (?:previous|earlier|prior|former|original) "
            r"(?:task|instructions|guidelines|orders|goal) (?:is|are|has been|have been) (?:now )?"
            r"(?:cancelled|canceled|void|over|obsolete|replaced|suspended)"
        ),
    ),
    _rule(
        "suspend_rules", Severity.HIGH, "suspended disabled lifted void off",
        phrase(
            r"(?:safety|security|system|all|your) (?:rules|policies|policy|guidelines|checks|"
            r"instructions) (?:are|is|have been) (?:now )?(?:suspended|disabled|lifted|void|off)"
        ),
    ),
    _rule(
        "suspend_rules", Severity.HIGH, "override",
        phrase(r"(?:system|admin|administrator|developer|root) override"),
    ),
    _rule(
        "new_instructions", Severity.MEDIUM, "instruction order task",
        re.compile(
            r"(?<!\w)(?:new|updated|real|actual) (?:instructions?|orders?|task) ?(?:: ?|is to "
            r")(?!for\b|please\b)[a-z]{2,20} (?:the |all |your |this |any |everything )",
            re.IGNORECASE
        ),
    ),
    _rule(
        "new_instructions", Severity.HIGH, "instead",
        phrase(r"follow (?:these|mine|my instructions|the following)(?: instructions)? instead"),
    ),
    _rule(
        "system_prompt", Severity.HIGH, "prompt instruct message directive configuration",
        phrase(
            rf"{_TELL} (?:me |us |out |back |all |of |the |exact |full |entire |text |content |contents "
            rf"|verbatim ){{0,5}}{_HIDDEN_ORDERS}"
        ),
    ),
    _rule(
        "system_prompt", Severity.HIGH, "instruct prompt message",
        phrase(
            rf"{_TELL} ... (?:instructions?|prompt|message) (?:that )?(?:you|came) (?:"
            rf"(?:were|was|have|had|been) ){{0,2}}(?:received|given|got|told|before)"
        ),
    ),
    _rule(
        "system_prompt", Severity.HIGH, "above before",
        phrase(
            r"(?:repeat|print|output|copy|recite) (?:everything|all|the (?:text|words|message|content)) "
            r"(?:above|before)(?: this| that| my)?(?: (?:line|message|point|prompt))? ?(?:verbatim|word "
            r"for word|exactly)?(?= ?(?:verbatim|word|exactly|in a|into|$))"
        ),
    ),
    _rule(
        "system_prompt", Severity.HIGH, "told instructed asked",
        phrase(r"what (?:were you|have you been) (?:told|instructed|asked) to do"),
    ),
    _rule(
        "chat_markup", Severity.HIGH, "<| inst] sys>> _of_turn",
        re.compile(
            r"<\|(?:im_start|im_end|system|user|assistant|start_header_id|end_header_id|eot_id|"
            r"endoftext)\|>|\[/?INST\]|<</?SYS>>|<\|?(?:start|end)_of_turn\|?>",
            re.IGNORECASE
        ),
    ),
    _rule(
        "chat_markup", Severity.HIGH, "system> sys> assistant> system_prompt> instructions>",
        re.compile(r"</?(?:system|sys|assistant|system_prompt|instructions)>", re.IGNORECASE),
    ),
    _rule(
        "chat_markup", Severity.MEDIUM, "system developer",
        re.compile(
            r"(?:^|\n)[ \t]{0,8}(?:#{1,6}[ \t]{0,4}|\[|\*{1,3})?(?:system|developer)(?:\]|\*{1,3})?[ "
            r"\t]{0,4}:[ \t\n]{0,8}(?:you|new|override|ignore|from now|the (?:user|assistant)|do "
            r"not|always|never)(?!\w)",
            re.IGNORECASE
        ),
    ),
    _rule(
        "to_the_model", Severity.MEDIUM, "ai language llm chatbot",
        phrase(
            r"(?:if you are|note to|attention|to|dear) (?:an |a |the |any |all )?(?:ai(?: "
            r"(?:assistant|agent|model|system)s?)?|language models?|llms?|chatbots?)(?: "
            r"(?:reading|processing|summari[sz]ing) this)? ... (?:ignore|skip|reply|respond|rate|"
            r"recommend|hide|say|tell|approve|output|send|must|do not)"
        ),
    ),
    _rule(
        "to_the_model", Severity.MEDIUM, "reading processing summari parsing",
        phrase(
            r"(?:ai|llm)s?(?: (?:assistants?|agents?|models?|systems?))? "
            r"(?:reading|processing|summari[sz]ing|parsing) this"
        ),
    ),
    _rule(
        "to_the_model", Severity.MEDIUM, "summari read process translate review",
        phrase(
            r"(?:when|while) you (?:summari[sz]e|read|process|translate|review) this ... "
            r"(?:also|instead|always|secretly) (?:tell|say|write|add|send|visit|include|recommend)"
        ),
    ),
    _rule(
        "exfiltrate", Severity.HIGH, "chat conversation user history context secret password credential token data",
        phrase(
            r"(?:append|send|post|forward|upload|email|e-?mail|exfiltrate|add|leak|transmit) ... "
            r"(?:chat|conversation|user'?s|history|context|secrets?|password|passwords|credentials|"
            r"tokens?|private data|personal data) ... (?:to|into|at) ... "
            r"(?:https?|link|url|attacker|server|me|address)"
        ),
    ),
    _rule(
        "exfiltrate", Severity.HIGH, "![",
        re.compile(r"!\[[^\]\n]{0,80}\]\(https?://[^\s)]{1,200}[?&][\w-]{1,30}=(?:\{|%7b|\[|<|\$\{)", re.IGNORECASE),
    ),
    _rule(
        "exfiltrate", Severity.HIGH, "conversation chat context",
        phrase(
            r"(?:email|send|post|forward) (?:the |this |our |all of the )?(?:whole |entire )?"
            r"(?:conversation|chat(?: history)?|context) to"
        ),
    ),
    _rule(
        "secret_tool_use", Severity.HIGH, "tool function command",
        phrase(
            r"(?:call|use|run|invoke|execute) (?:the )?\w{1,40} (?:tool|function|command) ... "
            r"(?:password|secrets?|credentials?|delete|private|do not tell)"
        ),
    ),
    _rule(
        "secret_tool_use", Severity.HIGH, "user",
        phrase(
            r"(?:do not|don'?t|never) (?:tell|inform|mention (?:this|it) to|alert|reveal (?:this|it) to) "
            r"the user"
        ),
    ),
    _rule(
        "false_authority", Severity.HIGH, "you",
        phrase(
            r"(?:as|i am|i'?m|this is) (?:the |your |a )?(?:developer|creator|administrator|admin|owner|"
            r"openai|anthropic|engineer)s? ... (?:authori[sz]e|allow|permit|order|instruct|command) you to"
        ),
    ),
    _rule(
        "give_secrets", Severity.HIGH, "token key password credential",
        phrase(
            r"(?:give|send|show|tell|hand) me (?:the |your )(?:admin|secret|api|root|access) "
            r"(?:tokens?|keys?|passwords?|credentials?)"
        ),
    ),
    _rule(
        "override_programming", Severity.HIGH, "your",
        phrase(
            r"(?:override|bypass|rewrite|escape) your (?:programming|training|guidelines|restrictions|"
            r"instructions|safeguards|safety)"
        ),
    ),
    _rule(
        "obey_me", Severity.HIGH, "obey listen answer",
        phrase(
            r"(?:you )?(?:must|will|shall|should) (?:now )?(?:only )?(?:obey|listen to|answer to) (?:only "
            r")?(?:me|the user)(?: only)?"
        ),
    ),
    _rule(
        "hidden_text", Severity.HIGH, "",
        re.compile("[\U000e0020-\U000e007f]{8,4096}"), on_original=True,
    ),
    _rule(
        "hidden_text", Severity.MEDIUM, "",
        re.compile("[\u200b-\u200d\u2060-\u2064\ufeff]{8,4096}"), on_original=True,
    ),
    _rule(
        "direction_override", Severity.LOW, "",
        re.compile("[\u202a-\u202e\u2066-\u2069]"), on_original=True,
    ),
    _rule(
        "talk_of_instructions", Severity.LOW, "prompt instructions",
        phrase(r"(?:system prompt|prompt injection|hidden instructions|previous instructions)"),
    ),
)
# fmt: on

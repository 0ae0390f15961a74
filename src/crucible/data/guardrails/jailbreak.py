"""Rules for jailbreaks: text that talks a model out of its limits by a role, a game, a mode or an encoding.

English only. Each line is one way in which such texts are put; what they are tested against is in the guide.
"""

from __future__ import annotations

from typing import Final

from crucible.data.guardrails.finding import Category, Severity
from crucible.data.guardrails.rule import Rule, phrase

__all__ = ["JAILBREAK_RULES"]

_ROLE: Final = (
    r"(?:pretend|imagine|act|role ?play|respond|answer|behave|speak|reply|simulate|you are|you'?re|you will be|be|as)"
)
_MODEL: Final = r"(?:ai|assistant|chatbot|bot|model|language model|machine|hacker ai|llm|chatgpt)"
_NO: Final = r"(?:no|without|without any|with no|zero|free of|freed from)"
_LIMITS: Final = (
    r"(?:restrictions?|filters?|limits?|limitations?|rules|guardrails|ethics|morals|moral limits|censorship|"
    r"constraints|ethical guidelines|safety (?:training|rules|filters?|guidelines)|content polic(?:y|ies)|"
    r"moral judge?ment|boundaries)"
)
_BAD: Final = (
    r"(?:evil|unfiltered|uncensored|unrestricted|unaligned|unethical|immoral|amoral|jailbroken|unlimited|rogue)"
)

_BAD_HINTS: Final = "evil unf unc unr una une immoral amoral jailbroken unlimited rogue"


def _rule(name: str, severity: Severity, hints: str, words: str) -> Rule:
    return Rule(
        name=name,
        category=Category.JAILBREAK,
        severity=severity,
        placeholder="[JAILBREAK]",
        pattern=phrase(words),
        hints=tuple(hints.split()),
    )


# A table: name, severity and hints on one line, the words below.
# fmt: off
JAILBREAK_RULES: Final = (
    _rule(
        "named_persona", Severity.HIGH, "dan aim stan dude evilbot mongo",
        r"(?:you are|you'?re|act as|as|in|be|become|called|named|where you are) (?:now )?(?:(?:the )?"
        r"(?:better)?dan|aim|stan|dude|evilbot|mongo tom) ?(?:mode|which|who|that|and|always|without|not|"
        r"with|strive)",
    ),
    _rule(
        "named_persona", Severity.HIGH, "dan",
        r"(?:you are|you'?re) (?:now )?(?:better ?dan|(?:the )?dan)(?= (?:and|which|who|not)|\W)",
    ),
    _rule(
        "named_persona", Severity.HIGH, "anything",
        r"stands for do anything now|you can do anything now|do anything now mode",
    ),
    _rule(
        "unlimited_persona", Severity.HIGH,
        "restriction filter limit rules guardrail ethic moral censor constraint safety polic boundar",
        rf"(?:an? )?(?:\w{{2,15}} )?{_MODEL} (?:that has |who has |which has |with |has )?{_NO} "
        rf"(?:\w{{2,15}} ){{0,2}}{_LIMITS}",
    ),
    _rule(
        "unlimited_persona", Severity.HIGH, _BAD_HINTS,
        rf"{_ROLE} (?:as |like |the |an? |your |you |are |now |if ){{0,4}}(?:\w{{2,15}} ){{0,1}}{_BAD}(?: "
        rf"{_MODEL}| twin| version| mode)",
    ),
    _rule(
        "unlimited_persona", Severity.MEDIUM, _BAD_HINTS,
        rf"(?:an?|the|your) {_BAD} (?:{_MODEL}|twin who)",
    ),
    _rule(
        "unlimited_persona", Severity.HIGH, _BAD_HINTS,
        rf"(?:act|be|respond|answer|reply) (?:\w{{2,15}} )?{_BAD}",
    ),
    _rule(
        "unlimited_persona", Severity.MEDIUM, "no",
        rf"(?:you|{_MODEL}|character) (?:who |that |which |are |is |and ){{0,3}}(?:has|have|had|is bound "
        rf"by|with|knows?) no (?:\w{{2,15}} )?{_LIMITS}(?: and (?:tells?|answers?|explains?))?(?= "
        rf"(?:and|how|at all|so|then|tell|answer|who)|\W{{0,3}}$|,)",
    ),
    _rule(
        "unlimited_persona", Severity.HIGH, "no",
        rf"with no {_LIMITS}|no disclaimers",
    ),
    _rule(
        "no_longer_bound", Severity.HIGH, "from",
        r"(?:freed|free|liberated|released) from (?:the |your |all )?(?:typical |usual )?"
        r"(?:confines|limits|restrictions|chains|constraints) of (?:ai|openai|your)",
    ),
    _rule(
        "no_longer_bound", Severity.HIGH, "not longer",
        r"(?:not|no longer) (?:bound|limited|restricted|constrained|held) (?:by|to) (?:any |the |your "
        rf"|openai |openai'?s |anthropic )?{_LIMITS}",
    ),
    _rule(
        "no_longer_bound", Severity.HIGH, "bound limited restricted",
        r"(?:not|never) (?:bound|limited|restricted) by (?:\w{2,15} )?(?:polic(?:y|ies)|rules|guidelines)",
    ),
    _rule(
        "no_longer_bound", Severity.HIGH, "rules guidelines polic",
        r"(?:need not|do not have to|don'?t have to|no longer have to) (?:follow|obey|abide by|respect) "
        r"(?:the |any |your )?(?:rules|guidelines|polic(?:y|ies)) (?:set for you|of openai|imposed)",
    ),
    _rule(
        "mode_switch", Severity.HIGH, "mode",
        r"(?:enable|activate|enter|switch to|turn on|unlock|remain in|in|stay in) (?:the )?"
        r"(?:dan|jailbreak|god|evil|unrestricted|opposite|chaos|sudo) mode(?= "
        r"(?:and|activated|until|enabled|do|now|you)|\W)(?! in (?:this|the) (?:video )?game)",
    ),
    _rule(
        "mode_switch", Severity.HIGH, "mode",
        r"jailbreak mode|dan mode|opposite mode ?(?:do|you|always)",
    ),
    _rule(
        "mode_switch", Severity.HIGH, "mode",
        r"(?:developer|debug|admin) mode (?:and|so|where|in which) ... (?:without|no|ignore|answer|bypass)",
    ),
    _rule(
        "mode_switch", Severity.HIGH, "unlock release free",
        r"(?:unlock|release|free) all (?:of )?your (?:hidden )?(?:abilities|powers|capabilities|potential)",
    ),
    _rule(
        "switch_off_safety", Severity.HIGH, "your",
        r"(?:turn off|switch off|disable|drop|deactivate|bypass|remove|ignore|disregard|circumvent|evade|"
        r"get around|lift) (?:all |any |of ){0,2}your (?:\w{2,15} )?(?:filters?|guidelines|polic"
        r"(?:y|ies)|protocols?|restrictions?|guardrails|safeguards|safety|ethics|moderation|censorship)",
    ),
    _rule(
        "switch_off_safety", Severity.HIGH, "filter moderat censor safety",
        r"(?:so that |so )?(?:the |your )?(?:filters?|moderation|moderators?|censors?|safety system) "
        r"(?:does|do|will|would|can|could)(?: not|n'?t) (?:notice|see|catch|detect|flag|block)",
    ),
    _rule(
        "switch_off_safety", Severity.HIGH, "filter moderat censor",
        r"(?:passes|slips past|evades|gets past|get past|fools) (?:the |your )?"
        r"(?:filters?|moderation|moderators?|censors?)",
    ),
    _rule(
        "suppressed_refusal", Severity.HIGH, "refuse decline",
        r"(?:never|do not|don'?t|cannot|can'?t|must not|not allowed to) (?:ever )?"
        r"(?:refuse|refuses|decline)(?: (?:a|any|my|this|to))?(?: (?:requests?|questions?|answer))?(?= "
        r"\w|\W|$)",
    ),
    _rule(
        "suppressed_refusal", Severity.HIGH, "refus say",
        r"(?:never refuses|refusing is not (?:an option|allowed)|you (?:cannot|can'?t|must not|may "
        r"not|will never) say (?:no|you can'?t|you cannot))",
    ),
    _rule(
        "suppressed_refusal", Severity.HIGH, "sure absolutely course yes certainly",
        r"(?:start|begin) (?:your )?(?:reply|response|answer) (?:with|by saying) (?:sure|absolutely|of "
        r"course|yes master|certainly) ... (?:how|is|here|never|the)",
    ),
    _rule(
        "suppressed_refusal", Severity.HIGH, "never",
        r"never say (?:that )?you (?:cannot|can'?t|are unable|won'?t)",
    ),
    _rule(
        "suppressed_refusal", Severity.MEDIUM, "matter regardless without",
        r"(?:comply|answer|obey) (?:with |to )?(?:every|all|any)(?: of)?(?: my)? "
        r"(?:requests?|questions?|commands?) (?:no matter|regardless|without)",
    ),
    _rule(
        "token_game", Severity.HIGH, "time",
        r"(?:lose|lost|deduct|minus) (?:\w{1,10} )?(?:an? )?(?:tokens?|points?|lives)?(?: \w{1,10}){0,2} "
        r"?(?:each|every) time you (?:refuse|break|decline|fail to answer)",
    ),
    _rule(
        "token_game", Severity.HIGH, "lose",
        r"(?:break|leave) character ... lose",
    ),
    _rule(
        "hypothetical", Severity.MEDIUM, "hypothetical imagine suppose world fictional pretend",
        r"(?:hypothetical(?:ly)?|imagine|suppose|in a world|fictional|pretend) ... (?:you had|you "
        r"have|has|there (?:are|were)|without|with) ... (?:no )?(?:safety "
        r"rules|guardrails|laws|restrictions|guidelines|content policy|filters)(?: at all)? ... (?:would "
        r"you|how|answer|explain|you|dialogue|tell)",
    ),
    _rule(
        "hypothetical", Severity.MEDIUM, "bypass ignore disregard break",
        r"(?:novel|story|fiction|fictional|educational purposes|research)(?: only)? ... (?:you )?"
        r"(?:may|can|should|must)?(?: ?(?:bypass|ignore|disregard|break)) (?:your|the|any) (?:\w{2,15} )?"
        r"(?:polic(?:y|ies)|guidelines|rules|filters?)",
    ),
    _rule(
        "borrowed_voice", Severity.MEDIUM, "grand granny",
        r"(?:my )?(?:late |deceased )?(?:grandma|grandmother|granny|grandpa) ... (?:used to|would) "
        r"(?:read|tell|sing) me ... (?:recipes?|steps|instructions|keys?|napalm|how to)",
    ),
    _rule(
        "two_answers", Severity.HIGH, "dan unfiltered uncensored jailbroken without",
        r"(?:once|one) (?:as )?(?:\w{2,15} ){0,5}(?:and )?(?:once|one) (?:as )?"
        r"(?:dan|unfiltered|uncensored|jailbroken|without (?:limits|filters?|restrictions))",
    ),
    _rule(
        "two_answers", Severity.HIGH, "dan",
        r"as dan (?:without|with no|who)",
    ),
    _rule(
        "encoded_request", Severity.HIGH, "decode decrypt translate",
        r"(?:decode|decrypt|translate) (?:this|the following|it|that) (?:\w{2,15} )?(?:base ?64|rot "
        r"?13|hex|cipher|morse)? ?(?:string |text |message )?(?:and|then) (?:follow|obey|do|execute|carry "
        r"out|answer)",
    ),
    _rule(
        "encoded_request", Severity.MEDIUM, "base rot leet latin backwards morse",
        r"(?:write|answer|reply|respond|spell) ... (?:in |using )?(?:base ?64|rot ?13|leet ?speak|pig "
        r"latin|backwards|morse) (?:so|to) (?:that )?... (?:filter|moderation|censor|policy|detect)",
    ),
    _rule(
        "pressed_restrictions", Severity.MEDIUM, "bypass break ignore escape overcome",
        r"(?:you can|try to|just|please) (?:bypass|break|ignore|escape|overcome) (?:your|the) "
        r"(?:restrictions|rules|limits|limitations|programming)",
    ),
    _rule(
        "reverse_guidelines", Severity.HIGH, "your",
        r"(?:do|say|answer) the (?:reverse|opposite) of (?:what )?your "
        r"(?:guidelines|rules|instructions|training)",
    ),
    _rule(
        "talk_of_jailbreaks", Severity.LOW, "jailbreak uncensored unfiltered restrictions",
        r"jailbreak(?:s|ing|ed)?|uncensored|unfiltered|without (?:any )?restrictions",
    ),
)
# fmt: on

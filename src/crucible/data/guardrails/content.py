"""Rules for content: requests and threats of violence, weapons, drugs, self-harm, hatred, crime and malicious code.

English only, and only what is said in plain words: a fiction about a crime and a request for one can read alike.
"""

from __future__ import annotations

from typing import Final

from crucible.data.guardrails.finding import Category, Severity
from crucible.data.guardrails.rule import Rule, phrase

__all__ = ["CONTENT_RULES"]

_HOW: Final = (
    r"(?:how (?:do|can|could|would|might|does|to|one)|how (?:i|one) (?:can|could|would)|teach me|show me how|"
    r"tell me how|explain how|instructions|steps|step by step|recipe|guide|help me|give me|is there a way|"
    r"ways? to|what is the best way)"
)
_MAKE: Final = (
    r"(?:make|making|build|building|cook|cooking|synthesi[sz]e|synthesi[sz]ing|create|creating|produce|producing|"
    r"assemble|construct|manufacture|prepare|print|for)"
)
_WRITE: Final = r"(?:write|create|build|code|develop|program|give|make|generate|design)"
_BOMB: Final = (
    r"(?:(?:pipe|nail|car|fertili[sz]er|dirty|letter|suicide|home ?made) bombs?|explosives?|"
    r"molotovs?(?: cocktails?)?|napalm|ied|grenades?|thermite|c4|tatp)"
)
_CHEMICAL: Final = (
    r"(?:sarin|ricin|vx|mustard gas|nerve agent|anthrax|botulinum|chlorine gas|phosgene|cyanide)(?: gas)?"
)
_DRUG: Final = r"(?:meth(?:amphetamine)?|crystal meth|crack(?: cocaine)?|cocaine|heroin|fentanyl|lsd|mdma|ghb|pcp)"
_PEOPLE: Final = (
    r"(?:immigrants?|refugees?|muslims?|jews?|christians?|blacks?|whites?|asians?|gays?|women|men|foreigners?|"
    r"migrants?|people|race|races|religion|group|them)"
)
_HATE: Final = r"(?:vermin|subhumans?|cockroaches|parasites|animals|filth|scum|rats|a plague|a disease)"
_KILL: Final = r"(?:exterminated|wiped out|eradicated|gassed|killed|shot|hanged|put down|deported or killed)"
_MALWARE: Final = (
    r"(?:ransomware|malware|key ?loggers?|computer virus(?:es)?|a virus|trojans?|rootkits?|botnets?|spyware|"
    r"a worm|an exploit|ddos attack|denial of service attack|stealer)"
)


def _rule(name: str, severity: Severity, hints: str, words: str) -> Rule:
    return Rule(
        name=name,
        category=Category.CONTENT,
        severity=severity,
        placeholder="[CONTENT]",
        pattern=phrase(words),
        hints=tuple(hints.split()),
    )


# A table: name, severity and hints on one line, the words below.
# fmt: off
CONTENT_RULES: Final = (
    _rule(
        "weapons", Severity.CRITICAL,
        "bomb explosive molotov napalm ied grenade thermite c4 tatp sarin ricin vx gas nerve anthrax "
        "botul cyanide",
        rf"{_HOW} ... {_MAKE} (?:an? |the |some |my |your |own ){{0,3}}(?:{_BOMB}|{_CHEMICAL}|bombs?(?! "
        r"shelter))",
    ),
    _rule(
        "weapons", Severity.CRITICAL,
        "bomb explosive molotov napalm ied grenade thermite c4 tatp sarin ricin vx gas nerve anthrax "
        "botul cyanide",
        rf"{_HOW} (?:for |to ){{0,1}}{_MAKE} (?:an? |the |some ){{0,1}}(?:{_BOMB}|{_CHEMICAL})",
    ),
    _rule(
        "weapons", Severity.HIGH, "gun firearm weapon rifle pistol",
        r"(?:buy|get|obtain|order|find) (?:an? |some )?(?:unregistered|untraceable|illegal|ghost) "
        r"(?:guns?|firearms?|weapons?|rifles?|pistols?)|(?:guns?|firearms?|rifles?) without (?:an? )?"
        r"(?:background check|license|licence|permit)",
    ),
    _rule(
        "weapons", Severity.HIGH, "gun firearm pistol rifle",
        r"(?:3d )?print (?:an? )?(?:working |functional |untraceable )?(?:gun|firearm|pistol|rifle)",
    ),
    _rule(
        "drugs", Severity.HIGH, "meth crack cocaine heroin fentanyl lsd mdma ghb pcp",
        rf"{_HOW} ... {_MAKE} (?:some |my |own |pure ){{0,2}}{_DRUG}",
    ),
    _rule(
        "drugs", Severity.HIGH, "meth crack cocaine heroin fentanyl lsd mdma ghb pcp",
        rf"{_HOW} {_MAKE} (?:some |pure )?{_DRUG}(?! ?-?free)",
    ),
    _rule(
        "self_harm", Severity.HIGH, "myself life all die dying suicide",
        r"(?:i|i'?m|i am) ... (?:want to|going to|wanna|gonna|feel like|plan to|thinking "
        r"of|will|should|thinking about|ready to) (?:kill(?:ing)? myself|end(?:ing)? (?:my life|it "
        r"all)|die|dying|commit(?:ting)? suicide|hang(?:ing)? myself|hurt(?:ing)? myself|cut(?:ting)? "
        r"myself)",
    ),
    _rule(
        "self_harm", Severity.HIGH, "myself life all suicide",
        r"i (?:want to|wanna|am going to|'?m going to|feel like|plan to|will|should) (?:kill(?:ing)? "
        r"myself|end(?:ing)? (?:my life|it all)|commit(?:ting)? suicide|hang(?:ing)? myself|hurt(?:ing)? "
        r"myself|cut(?:ting)? myself)",
    ),
    _rule(
        "self_harm", Severity.HIGH, "suicide myself life overdose",
        r"(?:how|what|which) ... (?:way|ways|method|methods|pills|do i|can i|should i|painless|painful) "
        r"... (?:commit suicide|kill myself|end my life|cut myself so|overdose and die|hang myself)",
    ),
    _rule(
        "threat", Severity.CRITICAL, "shoot kill stab murder bomb blow burn hurt attack rape",
        r"(?:i|we) (?:will|'?ll|am going to|'?m going to|are going to|'?re going to|am gonna|want to) "
        r"(?:shoot|kill|stab|murder|bomb|blow up|burn|hurt|attack|rape) (?:up )?(?:you|him|her|them|the "
        r"(?:school|office|mosque|church|synagogue|mall|building|president)|your "
        r"(?:house|family|children|kids))(?! laughing)",
    ),
    _rule(
        "threat", Severity.CRITICAL, "knife gun rifle bomb",
        r"(?:bring|take|get) (?:an? |my )?(?:knife|gun|rifle|bomb) ... (?:and|to) "
        r"(?:shoot|kill|stab|murder|attack)",
    ),
    _rule(
        "hate", Severity.CRITICAL, "vermin subhuman cockroach parasite animals filth scum rats plague disease",
        rf"(?:all |those |these |the )?{_PEOPLE} (?:are|is) (?:just |nothing but |all |like )?{_HATE}",
    ),
    _rule(
        "hate", Severity.CRITICAL, "should must ought deserve need",
        rf"(?:all |those |these |that |the )?{_PEOPLE} ... (?:should|must|ought to|deserve to|need to)(?: "
        rf"all)? (?:be )?(?:{_KILL}|die)",
    ),
    _rule(
        "hate", Severity.CRITICAL, "deserve",
        rf"{_PEOPLE} (?:do not|don'?t) deserve to live",
    ),
    _rule(
        "hate", Severity.HIGH, "inferior",
        r"(?:that|this|their) (?:race|people|religion) (?:is|are) inferior",
    ),
    _rule(
        "malware", Severity.MEDIUM, "ware logger virus trojan rootkit botnet worm exploit ddos denial stealer",
        rf"{_WRITE} (?:me |us )?(?:an? |some |the )?(?:script |program |code |tool )?(?:for |that is )?"
        rf"(?:an? )?{_MALWARE}",
    ),
    _rule(
        "fraud", Severity.MEDIUM, "phishing scam",
        r"(?:write|create|make|draft|help me write|generate) (?:me )?(?:an? )?(?:convincing )?"
        r"(?:phishing|scam) (?:e-?mail|message|page|site|website|text)",
    ),
    _rule(
        "fraud", Severity.MEDIUM, "fake forge counterfeit",
        rf"{_HOW} ... (?:make|forge|fake|counterfeit|get|buy|create) (?:an? |some |my )?"
        rf"(?:fake|forged|counterfeit)(?: \w{{2,15}})? ?(?:passports?|ids?|id "
        r"cards?|money|prescriptions?|licen[cs]es?|documents?|bills)",
    ),
    _rule(
        "fraud", Severity.MEDIUM, "forge counterfeit fake",
        rf"{_HOW} (?:i )?(?:forge|counterfeit|fake) (?:an? |my |the )?(?:\w{{2,15}}(?:'s)? )?"
        r"(?:passports?|money|prescriptions?|signatures?|licen[cs]es?|documents?)",
    ),
    _rule(
        "fraud", Severity.MEDIUM, "launder clone skim steal",
        rf"{_HOW} (?:i )?(?:launder|clone|skim|steal) ... (?:money|credit cards?|cards?|identit"
        r"(?:y|ies)|bank details)",
    ),
    _rule(
        "fraud", Severity.MEDIUM, "stolen",
        r"(?:download|buy|get|find) (?:some )?stolen (?:credit card|card|bank|account|identity)",
    ),
    _rule(
        "violent_crime", Severity.CRITICAL, "poison kidnap abduct murder kill strangle torture drug assassinate",
        rf"{_HOW} (?:i )?(?:to )?(?:poison|kidnap|abduct|murder|kill|strangle|torture|drug|assassinate) "
        r"(?:someone|somebody|a person|my (?:wife|husband|boss|neighbou?r|ex|parents?|teacher|colleague)|"
        r"him|her|people|a (?:man|woman|child|girl|boy))(?:'s)?",
    ),
    _rule(
        "violent_crime", Severity.CRITICAL, "murder killing rape poison",
        r"(?:get|getting|gets) away with (?:murder|killing|rape)|poison (?:someone|somebody) without "
        r"(?:leaving )?(?:an? )?trace",
    ),
    _rule(
        "violent_crime", Severity.HIGH, "stalk track follow spy",
        rf"{_HOW} (?:i )?(?:stalk|track|follow|spy on) (?:my (?:ex|wife|husband|girlfriend|boyfriend|"
        r"neighbou?r)|someone|her|him) ... (?:without|secretly|noticing|knowing)",
    ),
    _rule(
        "intrusion", Severity.MEDIUM, "hack break",
        rf"{_HOW} (?:i )?(?:to )?(?:hack|break) into (?:my |someone'?s |somebody'?s |an? |the |his |her )?"
        rf"(?:\w{{2,15}}(?:'s)? )?(?:wi-?fi|network|account|phone|computer|e-?mail|house|bank|facebook|"
        r"instagram|server)",
    ),
    _rule(
        "child_safety", Severity.CRITICAL, "groom seduce lure",
        r"(?:groom|grooming|seduce|lure) (?:an? |the )?(?:minor|child|children|kid|underage \w{2,10})",
    ),
    _rule(
        "child_safety", Severity.CRITICAL, "child csam",
        r"(?:find|download|share|buy|watch|get) ... (?:child (?:porn|pornography|sexual abuse "
        r"material)|csam)",
    ),
    _rule(
        "extortion", Severity.MEDIUM, "blackmail extort threaten",
        rf"{_HOW} (?:i )?(?:blackmail|extort|threaten) (?:an? |my |the |someone)",
    ),
    _rule(
        "profanity", Severity.LOW, "fuck shit bitch asshole cunt bastard",
        r"fuck(?:ing|ed|er)?|shit(?:ty)?|bitch(?:es)?|asshole|cunt|bastard|motherfucker",
    ),
)
# fmt: on

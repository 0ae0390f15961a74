"""The adapter `presidio`: personal data by Microsoft's Presidio (MIT), with a spaCy model names of people too.

Needs `pip install 'crucible-ml[guardrails]'`. Fetches nothing: a spaCy model must be installed before, and the list of
internet domains is the one that comes with the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Final

from crucible.data.guardrails.adapter import ScanOptions
from crucible.data.guardrails.finding import Category, Finding, Severity, settle
from crucible.errors import ContractError, require
from crucible.pipeline import check_cancelled

__all__ = ["PresidioAdapter"]

_GRAVE: Final = frozenset(
    {"CREDIT_CARD", "IBAN_CODE", "US_SSN", "US_ITIN", "US_BANK_NUMBER", "US_PASSPORT", "US_DRIVER_LICENSE", "UK_NHS"}
    | {"CRYPTO", "MEDICAL_LICENSE"}
)
_SLIGHT: Final = frozenset({"DATE_TIME", "URL", "NRP", "UUID", "MAC_ADDRESS", "ORGANIZATION"})


class PresidioAdapter:
    """Finds personal data with Presidio's recognisers; each entity is a rule, such as `email_address`.

    Args:
        language: Language of the texts, such as `en`.
        model: A spaCy model for names, places and organisations: the name of an installed package, or a folder.
            None: recognisers by pattern only.
        min_score: Least score of Presidio that counts, 0 to 1.
        entities: Entities to look for; None: all that the recognisers know.

    Raises:
        MissingExtra: Presidio is not installed.
        ContractError: The model is not installed, or no recogniser knows the language.
    """

    name: ClassVar[str] = "presidio"

    def __init__(
        self,
        language: str = "en",
        model: str | None = None,
        min_score: float = 0.4,
        entities: Sequence[str] | None = None,
    ) -> None:
        self._language = language
        self._min_score = min_score
        self._entities = None if entities is None else list(entities)
        self._engine = _engine(language, model)
        self.version = f"presidio-analyzer {version('presidio-analyzer')}"

    def scan(self, texts: Sequence[str], options: ScanOptions) -> list[list[Finding]]:
        """Return the findings of each text; all of them are personal data.

        Raises:
            Cancelled: The run was asked to stop.
        """
        if Category.PII not in options.thresholds:
            return [[] for _ in texts]
        found: list[list[Finding]] = []
        for text in texts:
            check_cancelled()
            results = self._engine.analyze(
                text, language=self._language, entities=self._entities, score_threshold=self._min_score
            )
            found.append(settle(filter(options.wants, map(_finding, results))))
        return found


def _finding(result: Any) -> Finding:
    entity = str(result.entity_type)
    severity = Severity.HIGH if entity in _GRAVE else Severity.LOW if entity in _SLIGHT else Severity.MEDIUM
    return Finding(entity.lower(), Category.PII, severity, result.start, result.end, f"[{entity}]")


def _engine(language: str, model: str | None) -> Any:
    feature = 'the guardrail adapter "presidio"'
    analyzer = require("presidio_analyzer", extra="guardrails", feature=feature)
    engines = require("presidio_analyzer.nlp_engine", extra="guardrails", feature=feature)
    registry = analyzer.RecognizerRegistry(supported_languages=[language])
    registry.load_predefined_recognizers(languages=[language])
    registry.recognizers = [_offline(each) for each in registry.recognizers if each.name != "SpacyRecognizer"]
    if model is None:
        nlp = engines.NoOpNlpEngine([{"lang_code": language, "model_name": ""}])
    else:
        _must_be_here(model)
        nlp = engines.SpacyNlpEngine([{"lang_code": language, "model_name": model}])
        nlp.load()
        registry.add_nlp_recognizer(nlp)
    if not registry.recognizers:
        raise ContractError(f'presidio has no recogniser for the language "{language}"')
    return analyzer.AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=[language])


def _must_be_here(model: str) -> None:
    """Refuse a model that is not installed: Presidio would download it."""
    spacy = require("spacy", extra="guardrails", feature='the guardrail adapter "presidio"')
    if not spacy.util.is_package(model) and not Path(model).is_dir():
        raise ContractError(
            f'adapter_options.model: the spaCy model "{model}" is not installed, and nothing is fetched during a run; '
            f"python -m spacy download {model}"
        )


def _offline(recognizer: Any) -> Any:
    """Let the recogniser of mail addresses use the list of domains that is installed; its own way is to fetch one."""
    if type(recognizer).__name__ == "EmailRecognizer":
        tldextract = require("tldextract", extra="guardrails")
        extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

        def is_domain(pattern_text: str) -> bool:
            return bool(extract(pattern_text).fqdn)

        recognizer.validate_result = is_domain
    return recognizer

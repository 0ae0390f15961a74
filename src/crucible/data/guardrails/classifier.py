"""The adapter `classifier`: a text classifier of yours, in the files of a folder, for injection, jailbreaks or content.

Needs `pip install 'crucible-ml[train]'`. No model comes with Crucible and none is fetched: weights are read from
safetensors, no code of the model is run. A text longer than the model's window is looked at window by window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, cast

from crucible.data.guardrails.adapter import ScanOptions
from crucible.data.guardrails.finding import Category, Finding, Severity
from crucible.errors import ContractError, require
from crucible.ir import did_you_mean
from crucible.pipeline import check_cancelled

__all__ = ["ClassifierAdapter"]

_EXTRA: Final = {"extra": "train", "feature": 'the guardrail adapter "classifier"'}
_OVERLAP: Final = 4
"""Neighbouring windows share a quarter of their tokens, so that no phrase is cut in two in both."""


class ClassifierAdapter:
    """Finds windows of a text that a sequence classifier gives one of the labels to.

    Args:
        model: Folder of a transformers sequence classifier with a fast tokenizer and safetensors weights.
        category: What its labels mean: prompt_injection, jailbreak, content or pii.
        labels: Labels of the model that are violations; each is a rule of its own.
        threshold: Least probability that counts, above 0 and at most 1.
        severity: How much a finding matters.
        max_tokens: Tokens of a window; None: as many as the model takes, 512 where it does not say.

    Raises:
        MissingExtra: transformers or torch is not installed.
        ContractError: The folder holds no such model, or an option does not fit it.
    """

    name: ClassVar[str] = "classifier"

    def __init__(
        self,
        model: str,
        labels: Sequence[str],
        category: str = "prompt_injection",
        threshold: float = 0.5,
        severity: str = "high",
        max_tokens: int | None = None,
    ) -> None:
        self._category = Category(_word(category, "category", [each.value for each in Category]))
        self._severity = Severity(_word(severity, "severity", [each.value for each in Severity]))
        if not 0 < threshold <= 1:
            raise ContractError(f"adapter_options.threshold must be above 0 and at most 1, got {threshold}")
        self._threshold = threshold
        self._torch: Any = require("torch", **_EXTRA)
        self._tokenizer, self._model = _load(model)
        self._labels = _label_places(labels, self._model.config.id2label)
        self._window = max_tokens or _window(self._model.config)
        self.version = Path(model).name

    def scan(self, texts: Sequence[str], options: ScanOptions) -> list[list[Finding]]:
        """Return the windows of each text that have one of the labels.

        Raises:
            Cancelled: The run was asked to stop.
        """
        if self._category not in options.thresholds:
            return [[] for _ in texts]
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> list[Finding]:
        check_cancelled()
        if not text.strip():
            return []
        windows = self._tokenizer(
            text,
            truncation=True,
            max_length=self._window,
            stride=self._window // _OVERLAP,
            padding=True,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        offsets = cast("list[list[list[int]]]", windows["offset_mapping"].tolist())  # (windows, tokens, 2)
        found: list[Finding] = []
        for place, spans in enumerate(offsets):
            check_cancelled()
            inputs = {name: windows[name][place : place + 1] for name in ("input_ids", "attention_mask")}
            with self._torch.no_grad():
                logits = self._model(**inputs).logits[0]  # (labels,)
            found += self._findings(self._torch.softmax(logits.float(), -1).tolist(), spans)
        return found

    def _findings(self, probabilities: Sequence[float], spans: Sequence[Sequence[int]]) -> Iterable[Finding]:
        real = [span for span in spans if span[1] > span[0]]
        if not real:
            return
        start, end = min(span[0] for span in real), max(span[1] for span in real)
        for label, place in self._labels.items():
            if probabilities[place] >= self._threshold:
                shown = f"[{self._category.value.upper()}]"
                yield Finding(label, self._category, self._severity, start, end, shown)


def _load(model: str) -> tuple[Any, Any]:
    if not Path(model).is_dir():
        raise ContractError(
            f'adapter_options.model: there is no folder "{model}"; nothing is fetched during a run: '
            "download the classifier first and give its folder"
        )
    transformers = require("transformers", **_EXTRA)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model, local_files_only=True, trust_remote_code=False)
        classifier = transformers.AutoModelForSequenceClassification.from_pretrained(
            model, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    except (OSError, ValueError, ImportError) as error:
        raise ContractError(f"adapter_options.model: {model} holds no sequence classifier: {error}") from error
    if not tokenizer.is_fast:
        raise ContractError(f"adapter_options.model: {model} has no fast tokenizer, so places in the text are unknown")
    return tokenizer, classifier.eval()


def _window(config: Any) -> int:
    return int(getattr(config, "max_position_embeddings", None) or 512)


def _label_places(labels: Sequence[str], known: Mapping[int, str]) -> dict[str, int]:
    places = {name: int(place) for place, name in known.items()}
    if not labels or isinstance(labels, str):
        raise ContractError(f"adapter_options.labels must be a list of labels of the model: {', '.join(places)}")
    return {label: places[_word(label, "labels", places)] for label in labels}


def _word(word: str, option: str, known: Iterable[str]) -> str:
    words = list(known)
    if word not in words:
        raise ContractError(
            f'adapter_options.{option}: unknown word "{word}"{did_you_mean(word, words)}; known: {", ".join(words)}'
        )
    return word

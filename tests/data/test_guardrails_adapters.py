from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from crucible.data import guardrails
from crucible.data.guardrails import Category, Finding, ScanOptions, Severity
from crucible.data.guardrails.__main__ import main
from crucible.data.guardrails.adapter import adapter_problem, scan_texts
from crucible.data.guardrails.profiles import PROFILES
from crucible.errors import ContractError, DataError, MissingExtra

STRICT = ScanOptions(PROFILES["strict"])
CASES = Path(__file__).parent / "guardrail_cases"


def offer(folder: Path, patch: pytest.MonkeyPatch, code: str, **names: str) -> None:
    """Install a package of one module that offers adapters, as a stranger's would."""
    module = "stranger_guardrails"
    (folder / f"{module}.py").write_text(code)
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    lines = [f"{name} = {module}:{value}" for name, value in names.items()]
    (about / "entry_points.txt").write_text("[crucible.guardrails]\n" + "\n".join(lines) + "\n")
    patch.syspath_prepend(str(folder))
    patch.delitem(sys.modules, module, raising=False)


STRANGER = """
from crucible.data.guardrails import Category, Finding, Severity
from crucible.errors import require

class Shouting:
    name = "shouting"
    def __init__(self, mark="!"):
        if mark == "?":
            raise ValueError("no questions")
        self.mark = mark
    def scan(self, texts, options):
        return [[self.found(text.index(self.mark))] if self.mark in text else [] for text in texts]
    def found(self, at):
        return Finding("shout", Category.CONTENT, Severity.HIGH, at, at + 1, "[SHOUT]")

def needy():
    require("no_such_module", extra="guardrails", feature="this adapter")

number = 3

def nameless():
    return object()
"""


def test_a_strangers_adapter_is_found_made_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the entry-point group, with its options, beside the built-in ones."""
    names = {"shouting": "Shouting", "needy": "needy", "number": "number", "nameless": "nameless", "gone": "gone"}
    offer(tmp_path, monkeypatch, STRANGER, **names)
    assert set(guardrails.adapter_names()) >= {"rules", "presidio", "classifier", "shouting"}
    adapter = guardrails.get_adapter("shouting", {"mark": "#"})
    (found,) = guardrails.scan(["a#"], adapter=adapter)
    assert [(each.rule, each.start) for each in found] == [("shout", 1)]
    assert adapter_problem("shouting", {"mark": "#"}) is None
    assert adapter_problem("shouting", {"loud": 1}) == (
        "adapter_options",
        "adapter_options of \"shouting\": got an unexpected keyword argument 'loud'; it takes: mark",
    )
    assert (adapter_problem("gone", {}) or ("",))[0] == "adapter"
    with pytest.raises(ContractError, match='"shouting" cannot be made: ValueError: no questions'):
        guardrails.get_adapter("shouting", {"mark": "?"})
    with pytest.raises(MissingExtra, match=r"pip install 'crucible-ml\[guardrails\]'"):
        guardrails.get_adapter("needy")
    with pytest.raises(ContractError, match="is a object without name and scan"):
        guardrails.get_adapter("nameless")
    with pytest.raises(ContractError, match='adapter_options of "number".* it takes: none'):
        guardrails.get_adapter("number")
    with pytest.raises(ContractError, match='unknown guardrail adapter "shoutin"; did you mean "shouting"'):
        guardrails.get_adapter("shoutin")


class Answering:
    """An adapter that answers what it is given."""

    name = "answering"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def scan(self, texts: Sequence[str], options: ScanOptions) -> Any:
        """Return or raise the answer."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def finding(start: int = 0, end: int = 1, **fields: Any) -> Finding:
    """Return a finding."""
    known: dict[str, Any] = {"rule": "r", "category": Category.PII, "severity": Severity.HIGH, "placeholder": "[R]"}
    return Finding(start=start, end=end, **{**known, **fields})


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (ValueError("broken"), "failed: ValueError: broken"),
        (None, "failed: TypeError"),
        ([], "answered 0 texts of 1"),
        ([["x"]], "must return Findings, got a str"),
        ([[finding(0, 0)]], "r at 0 to 0 lies outside a text of 4 characters"),
        ([[finding(0, 5)]], "lies outside"),
        ([[finding(-1, 2)]], "lies outside"),
    ],
)
def test_an_adapter_that_breaks_its_agreement_is_a_contract_error(answer: Any, message: str) -> None:
    """It is named, and an error of ours passes as it is."""
    with pytest.raises(ContractError, match='the guardrail adapter "answering"') as caught:
        scan_texts(Answering(answer), ["text"], STRICT)
    assert message in str(caught.value)
    with pytest.raises(DataError, match="ours"):
        scan_texts(Answering(DataError("ours")), ["text"], STRICT)


def test_what_an_adapter_finds_beyond_the_profile_does_not_count() -> None:
    """Neither a category that is off, nor a severity below the threshold, nor a rule that is ignored."""
    answer = [[finding(), finding(severity=Severity.LOW), finding(category=Category.CONTENT), finding(rule="other")]]
    options = ScanOptions({Category.PII: Severity.MEDIUM}, frozenset({"other"}))
    assert scan_texts(Answering(answer), ["text"], options) == [[finding()]]


# measuring


def test_quality_counts_the_four_outcomes(tmp_path: Path) -> None:
    """A violation counts as found only if the rule is the one that the case names."""
    path = tmp_path / "pii.jsonl"
    rows = [
        {"text": "a@example.com", "violation": True, "rule": "email"},
        {"text": "b@example.com", "violation": True, "rule": "phone"},
        {"text": "c@example.com", "violation": False},
        {"text": "quiet", "violation": False, "set": "x"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    cases = guardrails.read_cases(path)
    quality = guardrails.measure(guardrails.get_adapter("rules"), Category.PII, cases, STRICT)
    assert (quality.found, quality.missed, quality.false_alarms, quality.quiet) == (1, 1, 1, 1)
    assert (quality.precision, quality.recall) == (0.5, 0.5)
    assert quality.wrong == ("b@example.com", "c@example.com")
    empty = guardrails.measure(guardrails.get_adapter("rules"), Category.PII, [], STRICT)
    assert (empty.precision, empty.recall) == (None, None)


def test_a_file_that_holds_no_cases_is_refused(tmp_path: Path) -> None:
    """With file and line."""
    with pytest.raises(DataError, match="nowhere.jsonl"):
        guardrails.read_cases(tmp_path / "nowhere.jsonl")
    path = tmp_path / "pii.jsonl"
    path.write_text('{"text": "x", "violation": true}\n{"text": 3}\n')
    with pytest.raises(DataError, match=r"pii.jsonl:2: a case has text and violation"):
        guardrails.read_cases(path)


def test_the_command_prints_the_figures_of_the_guide(capsys: pytest.CaptureFixture[str]) -> None:
    """One row a file, profile and part; the table in the guide is its output."""
    paths = [str(CASES / f"{category}.jsonl") for category in Category]
    assert main([*paths, "--profile", "default", "--profile", "moderate"]) == 0
    printed = capsys.readouterr().out
    guide = (Path(__file__).parents[2] / "docs" / "guardrails.md").read_text(encoding="utf-8")
    assert printed in guide
    assert main([paths[1], "--profile", "strict", "--wrong"]) == 0
    assert "    '" in capsys.readouterr().out


def test_the_command_measures_any_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By category: the rules that cases name are the built-in ones."""
    offer(tmp_path, monkeypatch, STRANGER, shouting="Shouting")
    path = tmp_path / "content.jsonl"
    path.write_text('{"text": "hey!", "violation": true, "rule": "threat"}\n')
    options = ["--adapter", "shouting", "--adapter-options", '{"mark": "!"}', "--profile", "permissive"]
    assert main([str(path), *options]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "| content | permissive |  | 1 | 0 | 1.00 | 1.00 |"


# presidio

needs_presidio = pytest.mark.skipif(
    importlib.util.find_spec("presidio_analyzer") is None,
    reason="presidio-analyzer is not installed: pip install 'crucible-ml[guardrails]'",
)


@pytest.mark.skipif(importlib.util.find_spec("presidio_analyzer") is not None, reason="presidio-analyzer is installed")
def test_without_presidio_the_error_is_the_pip_command() -> None:
    """And a document that names it is valid: it may run elsewhere."""
    assert adapter_problem("presidio", {"language": "en"}) is None
    with pytest.raises(MissingExtra, match=r'"presidio" needs .*pip install \'crucible-ml\[guardrails\]\''):
        guardrails.get_adapter("presidio")


@needs_presidio
def test_presidio_finds_personal_data_by_pattern_and_fetches_nothing() -> None:
    """No model, no network, although its own recogniser of mail addresses would fetch a list."""
    adapter = guardrails.get_adapter("presidio")
    text = "Mail jane.doe@example.com, card 4111 1111 1111 1111"
    (found,) = guardrails.scan([text], adapter=adapter)
    assert [(each.rule, text[each.start : each.end], each.placeholder) for each in found] == [
        ("email_address", "jane.doe@example.com", "[EMAIL_ADDRESS]"),
        ("credit_card", "4111 1111 1111 1111", "[CREDIT_CARD]"),
    ]
    assert str(adapter.version).startswith("presidio-analyzer 2.")  # type: ignore[attr-defined]
    assert adapter.scan([text], ScanOptions({Category.CONTENT: Severity.LOW})) == [[]]
    few = guardrails.get_adapter("presidio", {"entities": ["CREDIT_CARD"], "min_score": 0.9})
    assert [each.rule for each in guardrails.scan([text], adapter=few)[0]] == ["credit_card"]


@needs_presidio
def test_presidio_takes_a_spacy_model_that_is_here_and_fetches_none(tmp_path: Path) -> None:
    """A folder serves; a name that is not installed is an error with the command that installs it."""
    import spacy
    from spacy.training import Example

    nlp = spacy.blank("en")
    ner = nlp.add_pipe("ner")
    ner.add_label("PERSON")  # type: ignore[attr-defined]
    text = "Ada Lovelace wrote it"
    examples = [Example.from_dict(nlp.make_doc(text), {"entities": [(0, 12, "PERSON")]})]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    nlp.to_disk(tmp_path / "tiny")
    adapter = guardrails.get_adapter("presidio", {"model": str(tmp_path / "tiny")})
    (found,) = guardrails.scan([text], adapter=adapter)
    assert [(each.rule, text[each.start : each.end]) for each in found] == [("person", "Ada Lovelace")]
    with pytest.raises(ContractError, match="python -m spacy download en_core_web_nope"):
        guardrails.get_adapter("presidio", {"model": "en_core_web_nope"})


# classifier


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT that was trained here, in seconds, to tell `attack` from other words."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("classifier")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "attack", "quiet", "words", "of", "all", "kinds"]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizerFast(vocab={word: place for place, word in enumerate(words)})
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        id2label={0: "SAFE", 1: "INJECTION"},
        label2id={"SAFE": 0, "INJECTION": 1},
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(config)
    draw = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        labels = torch.randint(0, 2, (32,), generator=draw)
        texts: list[str] = []
        for label in labels.tolist():
            drawn = torch.randint(6, len(words), (8,), generator=draw)[: int(torch.randint(1, 9, (1,), generator=draw))]
            chosen = [words[place] for place in drawn.tolist()]
            chosen.insert(int(torch.randint(0, len(chosen) + 1, (1,), generator=draw)), "attack" if label else "quiet")
            texts.append(" ".join(chosen))
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_classifier_finds_the_window_that_it_objects_to(classifier: Path) -> None:
    """Window by window, so that the end of a long text is looked at too."""
    options = {"model": str(classifier), "labels": ["INJECTION"], "threshold": 0.9}
    adapter = guardrails.get_adapter("classifier", options)
    long = "quiet words of all kinds " * 20 + "attack"
    texts = ["quiet attack", "quiet words", long, " ", "\u200b"]
    short, quiet, end, empty, unseen = guardrails.scan(texts, adapter=adapter)
    assert [(each.rule, each.category, each.severity, each.start, each.end) for each in short] == [
        ("INJECTION", Category.PROMPT_INJECTION, Severity.HIGH, 0, 12)
    ]
    assert (quiet, empty, unseen) == ([], [], [])
    assert end
    assert all(each.end == len(long) and each.start > 300 for each in end)
    assert adapter.scan(["attack"], ScanOptions({Category.PII: Severity.LOW})) == [[]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ["INJECTON"]}, 'labels: unknown word "INJECTON"; known: SAFE, INJECTION'),
        ({"labels": []}, "must be a list of labels of the model: SAFE, INJECTION"),
        ({"labels": "SAFE"}, "must be a list of labels"),
        ({"threshold": 0}, "threshold must be above 0 and at most 1, got 0"),
        ({"category": "injection"}, 'category: unknown word "injection"'),
        ({"severity": "hihg"}, 'severity: unknown word "hihg"; did you mean "high"'),
        ({"model": "someone/some-model"}, 'there is no folder "someone/some-model"; nothing is fetched'),
    ],
)
def test_options_that_do_not_fit_the_classifier_are_refused(
    classifier: Path, options: dict[str, Any], message: str
) -> None:
    """By name, and a model that would have to be fetched is one."""
    with pytest.raises(ContractError) as caught:
        guardrails.get_adapter("classifier", {"model": str(classifier), "labels": ["INJECTION"], **options})
    assert message in str(caught.value)


def test_a_folder_without_a_classifier_is_refused(tmp_path: Path) -> None:
    """In one sentence."""
    pytest.importorskip("transformers")
    with pytest.raises(ContractError, match="holds no sequence classifier"):
        guardrails.get_adapter("classifier", {"model": str(tmp_path), "labels": ["X"]})

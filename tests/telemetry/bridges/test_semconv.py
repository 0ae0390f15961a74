"""The table of the semantic conventions."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes, user_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import error_attributes, exception_attributes
from opentelemetry.semconv.schemas import Schemas

from crucible.telemetry.bridges.semconv import CONVENTIONS, LATEST, convention

NAMES = {
    value
    for module in (gen_ai_attributes, user_attributes, error_attributes, exception_attributes)
    for name, value in vars(module).items()
    if name.isupper()
}


@pytest.mark.skipif(
    version("opentelemetry-semantic-conventions") != LATEST,
    reason=f"the installed conventions are not {LATEST}",
)
def test_the_table_has_the_names_of_its_version() -> None:
    """Every attribute, metric and value in the table is one of the package of that version, and none is deprecated."""
    table = convention(LATEST)
    used = {term.name for rule in table.spans.values() for term in rule.terms}
    used |= {rule.operation_name for rule in table.spans.values()} | {rule.subject for rule in table.spans.values()}
    used |= {table.token_type, table.error_type, *table.metric_attributes, *table.token_types.values()}
    used |= {table.exception_type, table.exception_message, table.exception_stacktrace}
    assert used <= NAMES
    assert not used & {"gen_ai.system", "gen_ai.usage.prompt_tokens", "gen_ai.usage.completion_tokens"}
    assert table.operation_duration.name == gen_ai_metrics.GEN_AI_CLIENT_OPERATION_DURATION
    assert table.token_usage.name == gen_ai_metrics.GEN_AI_CLIENT_TOKEN_USAGE
    operations = {each.value for each in gen_ai_attributes.GenAiOperationNameValues}
    assert {rule.operation for rule in table.spans.values()} <= operations
    assert set(table.token_types) <= {each.value for each in gen_ai_attributes.GenAiTokenTypeValues}
    assert table.schema_url == list(Schemas)[-1].value


def test_the_buckets_are_those_of_the_convention() -> None:
    """Both histograms have the boundaries that the conventions for GenAI metrics ask for."""
    table = convention()
    assert [round(each, 2) for each in table.operation_duration.boundaries] == [
        0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
    ]  # fmt: skip
    assert list(table.token_usage.boundaries) == [
        1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
    ]  # fmt: skip


def test_a_table_says_which_version_it_is() -> None:
    """Each entry is found under its own version."""
    assert all(table.version == name for name, table in CONVENTIONS.items())
    assert LATEST in CONVENTIONS

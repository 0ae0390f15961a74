"""The table of prices that a user brings."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import SpecErrors, UnpricedModelWarning
from crucible.telemetry.prices import Price, PriceTable

PLAIN: dict[str, Any] = {
    "source": "https://prices.test/list",
    "date": "2026-11-21",
    "prices": [
        {"model": "small", "input_usd_per_1m": 1.0, "output_usd_per_1m": 4, "cached_input_usd_per_1m": 0.25},
        {"model": "large", "provider": "north", "input_usd_per_1m": 10, "output_usd_per_1m": 30},
        {"model": "large", "provider": "south", "input_usd_per_1m": 12, "output_usd_per_1m": 36},
    ],
    "aliases": {"small-2026-11-01": "small"},
}

YAML = """
source: https://prices.test/list
date: 2026-11-21
prices:
  - model: small
    input_usd_per_1m: 1
    output_usd_per_1m: 4
aliases:
  tiny: small
"""


def problems(data: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong with a table, by path."""
    with pytest.raises(SpecErrors) as caught:
        PriceTable.from_dict(data)
    return {error.path: error.message for error in caught.value.errors}


def test_a_cost_is_tokens_by_price() -> None:
    """Prices are for a million tokens; those from the cache have a price of their own."""
    table = PriceTable.from_dict(PLAIN)
    assert table.cost_usd("small", 1_000_000, 500_000) == pytest.approx(3.0)
    assert table.cost_usd("small", 1_000_000, 0, cached_tokens=400_000) == pytest.approx(0.6 + 0.1)
    assert table.cost_usd("small", 0, 0) == 0.0


def test_without_a_price_for_cached_tokens_they_cost_what_the_others_do() -> None:
    """No discount is guessed."""
    table = PriceTable.from_dict(PLAIN)
    cached = table.cost_usd("large", 1000, 10, cached_tokens=900, provider="north")
    assert cached == table.cost_usd("large", 1000, 10, provider="north")


def test_an_unknown_model_has_no_cost() -> None:
    """Neither its family nor a name that looks alike stands for it."""
    table = PriceTable.from_dict(PLAIN)
    for name in ("smal", "small-2026-12-01", "SMALL", ""):
        assert table.cost_usd(name, 10, 10) is None


def test_an_alias_finds_the_model_that_it_was_declared_for() -> None:
    """The name itself goes first."""
    table = PriceTable.from_dict(PLAIN)
    assert table.price_of("small-2026-11-01") == table.price_of("small") == table.prices[0]
    assert table.cost_usd("small-2026-11-01", 1_000_000, 0) == 1.0


def test_a_price_of_a_provider_holds_for_its_own_events_only() -> None:
    """A model of that name on one's own machine is not billed at a provider's price."""
    table = PriceTable.from_dict(PLAIN)
    assert table.cost_usd("large", 1_000_000, 0, provider="south") == 12.0
    assert table.cost_usd("large", 1_000_000, 0, provider="north") == 10.0
    assert table.cost_usd("large", 1_000_000, 0) is None
    assert table.cost_usd("large", 1_000_000, 0, provider="east") is None
    assert table.cost_usd("small", 1_000_000, 0, provider="anyone") == 1.0


@pytest.mark.parametrize(("prompt", "completion", "cached"), [(-1, 0, 0), (0, -1, 0), (5, 0, 6), (5, 0, -1)])
def test_impossible_counts_are_refused(prompt: int, completion: int, cached: int) -> None:
    """A negative cost would hide in a sum."""
    with pytest.raises(ValueError, match="expected 0 <= cached_tokens"):
        PriceTable.from_dict(PLAIN).cost_usd("small", prompt, completion, cached_tokens=cached)


def test_source_and_date_are_required() -> None:
    """A price without them cannot be checked."""
    found = problems({"prices": PLAIN["prices"]})
    assert set(found) == {"source", "date"}
    assert set(problems({**PLAIN, "source": "  ", "date": "21.11.2026"})) == {"source", "date"}
    assert "2026-11-31" in problems({**PLAIN, "date": "2026-11-31"})["date"]


def test_every_problem_is_told_with_its_path() -> None:
    """Negative and missing prices, numbers in quotes, unknown keys, NaN."""
    found = problems(
        {
            **PLAIN,
            "prices": [
                {"model": "a", "input_usd_per_1m": -1, "output_usd_per_1m": 1},
                {"model": "b", "input_usd_per_1m": "1", "output_usd_per_1m": True},
                {"model": "c", "input_usd_per_1m": 1, "output_usd_per_1m": 1, "outptu": 1},
                {"model": "d", "output_usd_per_1m": 1},
            ],
        }
    )
    assert set(found) == {
        "prices[0].input_usd_per_1m",
        "prices[1].input_usd_per_1m",
        "prices[1].output_usd_per_1m",
        "prices[2].outptu",
        "prices[3].input_usd_per_1m",
    }
    nan = {"model": "a", "input_usd_per_1m": float("nan"), "output_usd_per_1m": 1}
    assert "prices[0].input_usd_per_1m" in problems({**PLAIN, "prices": [nan]})
    assert "prices" in problems({**PLAIN, "prices": []})


def test_two_prices_of_one_model_are_refused() -> None:
    """Of one provider, too; the message names the first."""
    found = problems({**PLAIN, "prices": [*PLAIN["prices"], PLAIN["prices"][1]]})
    assert found == {"prices[3]": "'large' of 'north' has a price already, in prices[1]; keep one of them"}


def test_aliases_must_lead_to_a_price() -> None:
    """Not to nothing, not to another alias, and not around a price that is there."""
    found = problems({**PLAIN, "aliases": {"a": "smal", "b": "a", "large": "small"}})
    assert found["aliases.a"] == "no price is named 'smal'; did you mean \"small\"?"
    assert found["aliases.b"].startswith("no price is named 'a'")
    assert found["aliases.large"] == "'large' has a price of its own; leave out the price or the alias"


def test_a_table_survives_its_own_plain_form() -> None:
    """As JSON beside an experiment."""
    table = PriceTable.from_dict(PLAIN)
    again = PriceTable.from_dict(json.loads(json.dumps(table.to_dict())))
    assert again.to_dict() == table.to_dict()
    assert (again.source, again.date, again.aliases) == (PLAIN["source"], PLAIN["date"], PLAIN["aliases"])


def test_a_table_is_built_in_python_too() -> None:
    """With the same checks."""
    price = Price(model="m", input_usd_per_1m=1, output_usd_per_1m=2)
    assert PriceTable([price], source="me", date="2026-01-01").cost_usd("m", 1_000_000, 1_000_000) == 3.0
    with pytest.raises(SpecErrors) as caught:
        PriceTable([price, price], source="me", date="2026-01-01")
    assert "'m' has a price already, in prices[0]" in str(caught.value)
    with pytest.raises(SpecErrors):
        Price(model="m", input_usd_per_1m=-1, output_usd_per_1m=2)


def test_a_table_is_read_from_yaml(tmp_path: Path) -> None:
    """The date stays text, and problems name the file."""
    file = tmp_path / "prices.yaml"
    file.write_text(YAML)
    assert PriceTable.from_yaml(file).cost_usd("tiny", 1_000_000, 0) == 1.0
    file.write_text(YAML.replace("tiny: small", "tiny: big"))
    with pytest.raises(SpecErrors) as caught:
        PriceTable.from_yaml(file)
    assert str(caught.value).startswith(f"{file}: 1 problem")
    assert caught.value.errors[0].path == "aliases.tiny"
    assert pickle.loads(pickle.dumps(caught.value)).errors[0].path == "aliases.tiny"
    with pytest.raises(SpecErrors) as caught:
        PriceTable.from_yaml(tmp_path / "none.yaml")
    assert "no such file" in str(caught.value)


def test_a_table_is_read_from_csv(tmp_path: Path) -> None:
    """Empty cells are not given; a number that is none is refused with its row."""
    file = tmp_path / "prices.csv"
    file.write_text(
        "model,provider,input_usd_per_1m,output_usd_per_1m,cached_input_usd_per_1m\nm,,1.5,2,\nn,north,1e1,0,.5\n"
    )
    table = PriceTable.from_csv(file, source="a list", date="2026-11-21", aliases={"mm": "m"})
    assert table.cost_usd("mm", 1_000_000, 0) == 1.5
    assert table.cost_usd("n", 1_000_000, 0, cached_tokens=1_000_000, provider="north") == 0.5
    file.write_text("model,input_usd_per_1m,output_usd_per_1m\nm,one,2\nn,1,2,3\n")
    with pytest.raises(SpecErrors) as caught:
        PriceTable.from_csv(file, source="a list", date="2026-11-21")
    assert caught.value.errors[0].path == "prices[0].input_usd_per_1m"
    assert len(caught.value.errors) == 2
    with pytest.raises(SpecErrors) as caught:
        PriceTable.from_csv(tmp_path / "none.csv", source="a list", date="2026-11-21")
    assert "no such file" in str(caught.value)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecErrors) as caught:
        PriceTable.from_csv(file, source="a list", date="2026-11-21")
    assert "cannot be read as CSV" in str(caught.value)


def test_many_providers_do_not_fill_memory() -> None:
    """Events may name any provider; what is remembered of them is bounded."""
    table = PriceTable.from_dict(PLAIN)
    for number in range(2000):
        assert table.cost_usd("small", 1_000_000, 0, provider=f"p{number}") == 1.0
    assert len(table._rates) <= 1000


def test_the_warning_is_one_of_the_users() -> None:
    """So that the usual filters know it."""
    assert issubclass(UnpricedModelWarning, UserWarning)

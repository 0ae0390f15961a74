"""What tokens cost: a table that the user brings, with where its prices are from and when they held.

No price ships with Crucible, and none is guessed: a model that the table does not name has no cost. A versioned name
such as `model-2026-11-01` is found under itself, or under the name that `aliases` declares for it.
"""

from __future__ import annotations

import csv
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from crucible.errors import SpecError, SpecErrors
from crucible.ir import Model, Seq, did_you_mean, read_mapping

__all__ = ["Price", "PriceTable"]

_PER = 1_000_000
_MOST_RATES = 1_000  # kept by model and provider, since events may name any provider
_NUMBERS = ("input_usd_per_1m", "output_usd_per_1m", "cached_input_usd_per_1m")


class Price(Model):
    """What a model's tokens cost, US dollars per million."""

    model: str = Field(min_length=1, description="Name of the model, as events have it.")
    provider: str | None = Field(
        default=None, min_length=1, description="Who asks this price; null: it holds wherever the model is."
    )
    input_usd_per_1m: float = Field(ge=0, description="US dollars per million tokens of prompts.")
    output_usd_per_1m: float = Field(ge=0, description="US dollars per million tokens of answers.")
    cached_input_usd_per_1m: float | None = Field(
        default=None, ge=0, description="Per million tokens of prompts from the provider's cache; null: as the others."
    )


class _Document(Model):
    source: str = Field(min_length=1, description="Where the prices are from, such as the address of a page.")
    date: str = Field(description="The day on which they were looked up: 2026-11-21.")
    prices: Seq[Price] = Field(min_length=1, description="One a model and provider.")
    aliases: dict[str, str] = Field(default={}, description="Name of a priced model by other names for it.")


class PriceTable:
    """Prices of models, with their source and their date.

    Args:
        prices: One a model and provider, at least one.
        source: Where they are from, such as the address of a price list.
        date: The day on which they were looked up, `2026-11-21`.
        aliases: Names of priced models by other names for them.

    Raises:
        SpecErrors: Every problem with its path: a negative price, two prices of one model, an alias of no model, a
            date that is none.
    """

    __slots__ = ("_document", "_rates", "_rows")

    def __init__(
        self, prices: Iterable[Price], *, source: str, date: str, aliases: Mapping[str, str] | None = None
    ) -> None:
        document = _Document(source=source, date=date, prices=tuple(prices), aliases=dict(aliases or {}))
        if problems := list(_problems(document)):
            raise SpecErrors("PriceTable", problems)
        self._document = document
        self._rows = {(price.model, price.provider): price for price in document.prices}
        self._rates: dict[tuple[str, str | None], _Rates] = {}

    @property
    def source(self) -> str:
        """Where the prices are from."""
        return self._document.source

    @property
    def date(self) -> str:
        """The day on which they were looked up, `2026-11-21`."""
        return self._document.date

    @property
    def prices(self) -> tuple[Price, ...]:
        """The prices, in the order of the table."""
        return self._document.prices

    @property
    def aliases(self) -> Mapping[str, str]:
        """Names of priced models by other names for them."""
        return dict(self._document.aliases)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, source: str = "PriceTable") -> PriceTable:
        """Build a table from plain data: `source`, `date`, `prices` (a list of mappings) and `aliases`.

        Args:
            data: What `to_dict` returns.
            source: What is being read, for messages.

        Raises:
            SpecErrors: Every problem, each with its path.
        """
        read = _Document.read(data, source=source)
        try:
            return cls(read.prices, source=read.source, date=read.date, aliases=read.aliases)
        except SpecErrors as found:
            raise SpecErrors(source, found.errors) from None

    @classmethod
    def from_yaml(cls, path: str | Path) -> PriceTable:
        """Read a table from a `.yaml`, `.yml` or `.json` file of the form of `from_dict`.

        Raises:
            SpecErrors: The file is missing or no table: every problem, each with its path.
        """
        return cls.from_dict(read_mapping(path), source=str(path))

    @classmethod
    def from_csv(
        cls, path: str | Path, *, source: str, date: str, aliases: Mapping[str, str] | None = None
    ) -> PriceTable:
        """Read a table from a CSV file whose columns are the fields of `Price`.

        Args:
            path: UTF-8 text with a line of column names; an empty cell is a field that is not given.
            source: As of the table.
            date: As of the table.
            aliases: As of the table.

        Raises:
            SpecErrors: The file is missing or no table: every problem, each with its path.
        """
        rows = _csv_rows(Path(path))
        data = {"source": source, "date": date, "prices": rows, "aliases": dict(aliases or {})}
        return cls.from_dict(data, source=str(path))

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain data, which `from_dict` reads; an experiment keeps it beside its costs."""
        return self._document.model_dump(mode="json", exclude_none=True)

    def price_of(self, model: str, provider: str | None = None) -> Price | None:
        """Return the price of a model: under its own name, else under the one that `aliases` has for it.

        A price that names a provider holds for events that name the same one, and for no others.

        Args:
            model: Its name.
            provider: Who serves it; None if nobody said.
        """
        rows = self._rows
        found = rows.get((model, provider)) or rows.get((model, None))
        if found is None and (other := self._document.aliases.get(model)) is not None:
            found = rows.get((other, provider)) or rows.get((other, None))
        return found

    def cost_usd(
        self,
        model: str,
        prompt_tokens: float,
        completion_tokens: float,
        *,
        cached_tokens: float = 0,
        provider: str | None = None,
    ) -> float | None:
        """Return what a request cost in US dollars; None for a model that the table does not name.

        Args:
            model: Its name.
            prompt_tokens: Tokens of the prompt, those from the cache included.
            completion_tokens: Tokens of the answer.
            cached_tokens: How many of the prompt's tokens came from the provider's cache.
            provider: Who serves it; None if nobody said.

        Raises:
            ValueError: A count is negative, or more tokens were cached than there are.
        """
        if not (0 <= cached_tokens <= prompt_tokens and completion_tokens >= 0):
            raise ValueError(
                f"expected 0 <= cached_tokens <= prompt_tokens and completion_tokens >= 0, got {cached_tokens} cached "
                f"of {prompt_tokens} prompt tokens and {completion_tokens} completion tokens"
            )
        rates = self._rates.get((model, provider))
        if rates is None:
            if (price := self.price_of(model, provider)) is None:
                return None
            rates = _rates(price)
            if len(self._rates) < _MOST_RATES:
                self._rates[model, provider] = rates
        fresh_usd, cached_usd, answer_usd = rates
        usd = (prompt_tokens - cached_tokens) * fresh_usd + completion_tokens * answer_usd
        return (usd + cached_tokens * cached_usd if cached_tokens else usd) / _PER

    def answers_cost(self, model: str, provider: Any = None) -> bool:
        """Return whether tokens of a model's answers cost anything; False for a model that the table does not name."""
        price = self.price_of(model, provider if isinstance(provider, str) else None)
        return price is not None and price.output_usd_per_1m > 0


_Rates = tuple[float, float, float]
"""US dollars per million tokens: of a prompt, of a prompt from the cache, of an answer."""


def _rates(price: Price) -> _Rates:
    cached = price.cached_input_usd_per_1m
    return price.input_usd_per_1m, price.input_usd_per_1m if cached is None else cached, price.output_usd_per_1m


def _problems(document: _Document) -> Iterator[SpecError]:
    if not document.source.strip():
        yield SpecError("must say where the prices are from, such as the address of a page", path="source")
    if not _is_date(document.date):
        yield SpecError(f"must be a day such as 2026-11-21, got {document.date[:40]!r}", path="date", code="format")
    yield from _doubled(document.prices)
    models = {price.model for price in document.prices}
    for name, model in document.aliases.items():
        if name in models:
            message = f"{name!r} has a price of its own; leave out the price or the alias"
            yield SpecError(message, path=f"aliases.{name}", code="duplicate")
        elif model not in models:
            message = f"no price is named {model!r}{did_you_mean(model, models)}"
            yield SpecError(message, path=f"aliases.{name}", code="unknown_reference")


def _doubled(prices: Sequence[Price]) -> Iterator[SpecError]:
    first: dict[tuple[str, str | None], int] = {}
    for place, price in enumerate(prices):
        key = (price.model, price.provider)
        if key in first:
            of = f" of {price.provider!r}" if price.provider else ""
            message = f"{price.model!r}{of} has a price already, in prices[{first[key]}]; keep one of them"
            yield SpecError(message, path=f"prices[{place}]", code="duplicate")
        first.setdefault(key, place)


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _csv_rows(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, restkey="more cells than columns", strict=True))
    except FileNotFoundError:
        raise SpecErrors(str(path), [SpecError("no such file; check the path", code="missing")]) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SpecErrors(str(path), [SpecError(f"cannot be read as CSV ({error})", code="syntax")]) from None
    return [{name: _cell(name, cell) for name, cell in row.items() if cell not in ("", None)} for row in rows]


def _cell(name: str, cell: Any) -> Any:
    """Return a cell as JSON has it; one that is no number where one belongs stays text, which the table refuses."""
    if name not in _NUMBERS or not isinstance(cell, str):
        return cell
    text = cell.strip()
    return float(text) if re.fullmatch(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", text, re.ASCII) else cell

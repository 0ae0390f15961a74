"""The sinks `database` and `postgres` keep reports in a store that knows the run, on SQLite and on PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import crucible
from crucible.errors import StoreError
from crucible.ir import Experiment
from crucible.pipeline import Context, RunResult, parse_options
from crucible.report.stages import ReportStage
from crucible.store import open_store

STAGE = ReportStage()


def experiment(*outputs: dict[str, Any]) -> Experiment:
    """Return a document that only reports."""
    document = {"id": "nightly", "backend": {"id": "local"}, "pipeline": [{"name": "report"}]}
    return Experiment.read({**document, "outputs": list(outputs)})


def done(store: str, **output: Any) -> RunResult:
    """Carry out a run that hands out one output, in a store."""
    result = crucible.run(experiment({"name": "weekly", "formats": ["html", "csv"], **output}), store=store)
    return result.raise_for_status() or result


def again(context: Context, sink: str = "database", **options: Any) -> Context:
    """Run the stage once more, to a sink."""
    return STAGE.run(context, parse_options(STAGE, {"sink": sink, "formats": ["markdown"], "sink_options": options}))


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What opens a store that does not exist yet, once for each kind of database."""
    monkeypatch.chdir(tmp_path)
    if request.param == "sqlite":
        return str(tmp_path / "store")
    return request.getfixturevalue("postgres_url")()


def test_a_run_keeps_its_reports_in_its_own_store(url: str) -> None:
    """Each format is a row of the run's store, and the entry among the outputs says which."""
    result = done(url, sink="database")
    with open_store(url) as store:
        kept = {report.format: report for report in store.reports.list(result.run_id)}
        assert {format_: report.media_type for format_, report in kept.items()} == {
            "csv": "text/csv",
            "html": "text/html",
        }
        text = store.reports.load(result.run_id, "weekly", "html")
    assert text is not None
    assert "nightly" in text
    entry = result.context.outputs[0]
    assert entry["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert (entry["sink"], entry["report"], entry["size_bytes"]) == ("database", "weekly", len(text.encode()))


def test_nothing_is_replaced(url: str) -> None:
    """The same report is not saved again; another one of the same name gets a number."""
    context = done(url, sink="database").context
    same, other = again(context), again(context.put_metric("more", 1))
    assert [entry["report"] for entry in (same.outputs[-1], again(context).outputs[-1])] == ["weekly", "weekly"]
    assert other.outputs[-1]["report"] == "weekly-2"
    with open_store(url) as store:
        assert "more" not in (store.reports.load(context.run_id, "weekly", "markdown") or "")
        assert "more" in (store.reports.load(context.run_id, "weekly-2", "markdown") or "")


def test_postgres_is_a_server(
    tmp_path: Path, leave: SimpleNamespace, postgres_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`postgres` writes to a server and to nothing else; `url_env` names the variable that holds its URL."""
    monkeypatch.chdir(tmp_path)
    server = postgres_url()
    result = done(server, sink="postgres")
    assert result.context.outputs[0]["sink"] == "postgres"
    monkeypatch.setenv("REPORTS", server)
    entry = again(result.context.put_metric("more", 1), "postgres", url_env="REPORTS").outputs[-1]
    assert (entry["report"], entry["store"]) == ("weekly", result.context.outputs[0]["store"])
    folder = done(str(tmp_path / "store"), sink="database").context
    with pytest.raises(
        StoreError, match=r"needs a PostgreSQL server, and the run's store is .*store; set CRUCIBLE_STORE"
    ):
        again(folder, "postgres")
    monkeypatch.setenv("REPORTS", str(tmp_path / "store"))
    options = parse_options(STAGE, {"sink": "postgres", "sink_options": {"url_env": "REPORTS"}})
    assert STAGE.check(experiment(), options) == [
        ("sink_options.url_env", "REPORTS holds no URL of a PostgreSQL server; for a folder use `database`")
    ]
    with pytest.raises(StoreError, match="there is no run"):
        again(leave.start(tmp_path), "database", url_env="REPORTS")


def test_a_variable_that_is_not_set(tmp_path: Path, leave: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named before the run starts, and when it is gone by the time the run reports."""
    monkeypatch.delenv("REPORTS", raising=False)
    output = {"name": "weekly", "sink": "database", "options": {"url_env": "REPORTS"}}
    assert STAGE.check(experiment(output), parse_options(STAGE, {})) == [
        ("outputs[0].options.url_env", "the environment variable REPORTS is not set")
    ]
    with pytest.raises(StoreError, match="REPORTS is not set; it names the store of the report"):
        again(leave.start(tmp_path), url_env="REPORTS")


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2pw@127.0.0.1:1/db", "postgres:// u:hunter2pw@:bad/db", "mysql://u:hunter2pw@x/y"]
)
def test_a_variable_with_a_store_that_cannot_be_used(
    tmp_path: Path, leave: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """The error names the variable, and neither a server that does not answer nor a broken URL shows the password."""
    pytest.importorskip("psycopg")
    monkeypatch.setenv("REPORTS", url)
    with pytest.raises(StoreError, match="REPORTS") as caught:
        again(leave.start(tmp_path), url_env="REPORTS")
    assert "hunter2pw" not in str(caught.value)


def test_a_run_that_does_not_say_where_it_is_kept(
    tmp_path: Path, leave: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its store's address CRUCIBLE_STORE is asked, and an error says what to set; no store is made for it."""
    context = leave.start(tmp_path)
    with pytest.raises(StoreError, match="the run does not say where it is kept; set CRUCIBLE_STORE"):
        again(context)
    hidden = context.assign("provenance", {"store": "postgresql://me:***@host/db"})
    with pytest.raises(StoreError, match=r"the run's store postgresql://me:\*\*\*@host/db needs a password; set"):
        again(hidden)
    monkeypatch.setenv("CRUCIBLE_STORE", str(tmp_path / "nothing"))
    for made in (context, hidden):
        with pytest.raises(StoreError, match="there is no store at"):
            again(made)
    assert not (tmp_path / "nothing").exists()
    kept = done(str(tmp_path / "store"), sink="stdout").context
    monkeypatch.setenv("CRUCIBLE_STORE", str(tmp_path / "store"))
    assert again(Context(kept.run_id, kept.experiment, tmp_path)).outputs[-1]["report"] == "weekly"


def test_a_run_resumed_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that was named relative to the working directory is found by the run's own folder."""
    monkeypatch.chdir(tmp_path)
    context = done(".kept", sink="stdout").context
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert again(context).outputs[-1]["report"] == "weekly"

"""Tables arrange facts once, for every format."""

from __future__ import annotations

from crucible.ir import Interval
from crucible.report.findings import Contrast, Evaluation, OtherTest, Score
from crucible.report.number import interval_words
from crucible.report.results import LossPoint, Provenance, Results, Training
from crucible.report.run_tables import configuration_tables, environment_tables, loss_table, training_table
from crucible.report.score_tables import comparison_tables, score_table
from crucible.report.table import Cell, Column, Row, Table, facts_table, lift_notes, shown


def texts(table: Table | None) -> dict[str, list[str]]:
    """Return the rows' names and cells."""
    assert table is not None
    return {row.name: [cell.text for cell in row.cells] for row in table.rows}


def test_facts_are_named_ordered_and_have_units() -> None:
    """Well-known facts come first, the others as recorded; units come from the names; unknown values are dashes."""
    numbers = {"zeta": 1, "x_ns": 2.5e9, "y_s": 3, "z_bytes": 10, "steps": 1000, "final_loss": 0.5, "ratio": 0.12345}
    words = {"ok": True, "seed": 123456, "sha256": "ab", "list": [1, "b"], "map": {"k": None}}
    facts = {"a": numbers | words, "b": {"zeta": None}}
    found = texts(facts_table("k", "c", "Fact", facts))
    assert list(found)[:3] == ["SHA-256", "Final loss", "Steps"]
    assert found["X"] == ["2.5 s", "—"]
    assert found["Y"] == ["3 s", "—"]
    assert found["Z"] == ["10 bytes", "—"]
    assert found["Final loss"][0] == "0.5000"
    assert found["Steps"][0] == "1,000"
    assert found["Seed"][0] == "123456"
    assert found["Ok"][0] == "yes"
    assert found["List"][0] == "1; b"
    assert found["Map"][0] == '{"k": null}'
    assert found["Ratio"][0] == "0.1235"
    assert facts_table("k", "c", "Fact", {"a": {"x": None}}) is None


def test_values_in_full() -> None:
    """A value in words keeps every digit."""
    assert [shown(value) for value in (None, False, 0.1 + 0.2, 1, [], "x")] == [
        "—", "no", "0.30000000000000004", "1", "none", "x",
    ]  # fmt: skip


def test_shared_notes_move_to_the_heading() -> None:
    """A note that all filled cells share is said once; notes that differ stay."""
    rows = (Row("a", (Cell("1", 1, "x"), Cell("2", 2, "p"))), Row("b", (Cell("—"), Cell("3", 3, "q"))))
    lifted = lift_notes(Table("k", "c", (Column("n"), Column("h", True, "unit"), Column("i")), rows))
    assert lifted.columns[1].note == "unit; x"
    assert [row.cells[0].note for row in lifted.rows] == ["", ""]
    assert [row.cells[1].note for row in lifted.rows] == ["p", "q"]


def test_settings_that_differ_stand_apart() -> None:
    """What distinguishes two trainings is one short table; what they share is another."""
    training = [Training(f"r{rank}", config={"rank": rank, "alpha": 32.0, "target_modules": None}) for rank in (2, 16)]
    differing, shared = configuration_tables(Results(training=training))
    assert texts(differing) == {"rank": ["2", "16"]}
    assert texts(shared) == {"alpha": ["32.0"], "target_modules": ["null"]}
    assert [t.caption for t in configuration_tables(Results(training=training[:1]))] == ["Training settings"]
    assert configuration_tables(Results()) == []


def test_losses_are_thinned_evenly() -> None:
    """A long history becomes twelve rows, first and last step included."""
    history = [LossPoint(step, 1.0, 1.0) for step in range(1, 1001)]
    short = [LossPoint(5, 2.0)]
    found = texts(loss_table(Results(training=[Training("a", history=history), Training("b", history=short)])))
    assert len(found) == 12
    assert next(iter(found)) == "1"
    assert list(found)[-1] == "1,000"
    assert loss_table(Results(training=[Training("a")])) is None
    plain = loss_table(Results(training=[Training("a", history=[LossPoint(1, 2.0)])]))
    assert texts(plain) == {"1": ["2.000"]}


def test_training_without_losses_has_no_note_on_them() -> None:
    """A note stands only where what it explains is shown."""
    assert training_table(Results()) is None
    table = training_table(Results(training=[Training("a", {"steps": 3})]))
    assert table is not None
    assert table.notes == ()


def test_environment() -> None:
    """Versions keep their order and spelling; a run without provenance has no such tables."""
    provenance = Provenance(seed=7, versions={"torch": "2", "Python": "3.11"}, facts={"store": ".crucible"})
    run, versions = environment_tables(Results(run_id="r", provenance=provenance))
    assert texts(run) == {"Run": ["r"], "Seed": ["7"], "Store": [".crucible"]}
    assert texts(versions) == {"torch": ["2"], "Python": ["3.11"]}
    assert environment_tables(Results()) == []


def test_the_table_of_scores_says_which_items() -> None:
    """The role of the data words the title; roles that differ stand beside the models; an old run claims nothing."""

    def titled(*roles: str | None) -> Table:
        made = [
            Evaluation(f"m{i}", [Score("f", 0.5)], {"dataset_role": role} if role else {})
            for i, role in enumerate(roles)
        ]
        table = score_table(Results(evaluations=made))
        assert table is not None
        return table

    assert titled("test", "test").caption == "Scores on the test items"
    assert titled("train").caption == "Scores on the training items"
    assert titled(None).caption == "Scores on the evaluated items"
    mixed = titled("test", "train")
    assert mixed.caption == "Scores on the test items and training items"
    assert [row.name for row in mixed.rows] == ["m0 (test items)", "m1 (training items)"]


def test_a_mean_that_counts_failures_as_0_says_so() -> None:
    """Only under that policy, and only where an item failed."""
    scores = [
        Score("a", 0.4, attempted=10, scored=8, failed=2, failures="zero"),
        Score("b", 0.5, attempted=10, scored=8, failed=2, failures="exclude"),
        Score("c", 0.5, attempted=10, scored=10, failed=0, failures="zero"),
    ]
    table = score_table(Results(evaluations=[Evaluation("m", scores)]))
    assert table is not None
    assert [row.cells[0].note for row in table.rows] == ["2 failed counted as 0", "", ""]


def test_headings_state_the_level() -> None:
    """Of scores, differences and other tests; levels that differ are all named, and each cell has its own."""
    low, high = Interval(0.1, 0.3, 0.9, "a"), Interval(0.1, 0.3, 0.99, "b")
    contrast = Contrast("c", "x", "y", difference=0.2, interval=low, also=[OtherTest("t", 0.5, high)])
    results = Results(evaluations=[Evaluation("m", [Score("f", 0.2, high)])], contrasts=[contrast])
    table = score_table(results)
    assert table is not None
    assert (table.columns[2].heading, table.columns[2].note) == ("99% interval", "b")
    assert [t.columns[i].heading for t, i in zip(comparison_tables(results), (3, 2), strict=False)] == [
        "90% interval", "99% interval",
    ]  # fmt: skip
    results.contrasts.append(Contrast("d", "x", "z", difference=0.2, interval=high))
    first = comparison_tables(results)[0]
    assert first.columns[3].heading == "90% or 99% interval"
    assert [row.cells[2].note for row in first.rows] == ["90%, a", "99%, b"]
    assert interval_words([None]) == "interval"


def test_units_of_mixed_contrasts_stand_in_the_cells() -> None:
    """Points are named once in the heading only where every row is in points."""
    rows = [Contrast("c", "x", "y", metric="m", difference=0.2, unit="fraction"),
            Contrast("d", "x", "y", metric="n", difference=0.2)]  # fmt: skip
    one, both = comparison_tables(Results(contrasts=rows[:1]))[0], comparison_tables(Results(contrasts=rows))[0]
    assert (one.columns[2].note, one.rows[0].cells[1].text) == ("percentage points", "+20.0")
    assert (both.columns[2].note, [row.cells[1].text for row in both.rows]) == ("", ["+20.0 points", "+0.2"])

"""The full-text index of trace events: making it, and how each database is asked.

A word is a run of letters and digits; case does not matter. The first 40,000 characters of each text are indexed;
what stands for a NUL in them is a blank.

SQLite: an FTS5 table without texts of its own, brought up to date by whoever searches or saves whole chains, so that a
run pays nothing for it. Indexed are the events up to the highest id that FTS5 has counted (`trace_words_docsize`):
triggers keep this true when events are replaced or deleted, so that ids which SQLite uses again are new ones here, too.
PostgreSQL: a stored `words` column with a GIN index, made by functions of our own, as what counts as a letter must not
depend on the server's locale.
"""

# ruff: noqa: S608  # every statement here is put together from our own names
from __future__ import annotations

from sqlalchemy import Connection, text

from crucible.store.engine import Database
from crucible.store.trace_words import (
    INDEXED_CHARACTERS,
    STORED_NUL,
    UNFOLDED,
    WORD_CHARACTERS,
    case_pairs,
    letter_ranges,
)

__all__ = ["INDEX_TABLES", "make_index", "remove_index", "update_index"]

INDEX_TABLES = frozenset({"trace_words", *(f"trace_words_{part}" for part in ("data", "idx", "docsize", "config"))})

_FIELDS = ("decision", "reasoning", "alternatives", "code_section", "spec_reference")
_COLUMNS = ("decision", "reasoning", "alternatives_json", "code_section", "spec_reference")


def _texts(row: str) -> str:
    """Return SQLite's expressions for the indexed texts of a row."""
    plain = {name: _without_nul(f"substr({row}{name}, 1, {INDEXED_CHARACTERS})") for name in _FIELDS}
    words = f"(SELECT group_concat(value, char(10)) FROM json_each({row}alternatives_json))"
    shortened = _without_nul(f"substr({words}, 1, {INDEXED_CHARACTERS})")
    plain["alternatives"] = f"CASE WHEN json_valid({row}alternatives_json) THEN {shortened} END"
    return ", ".join(plain[name] for name in _FIELDS)


def _without_nul(expression: str) -> str:
    return f"replace({expression}, '{STORED_NUL}', ' ')"


_INDEXED = "(SELECT max(id) FROM trace_words_docsize)"
_ADD = f"INSERT INTO trace_words (rowid, {', '.join(_FIELDS)}) "
_TAKE = (
    f"INSERT INTO trace_words (trace_words, rowid, {', '.join(_FIELDS)}) VALUES ('delete', old.id, {_texts('old.')})"
)

_SQLITE = (
    "CREATE VIEW trace_texts (id, " + ", ".join(_FIELDS) + f") AS SELECT id, {_texts('')} FROM trace_events",
    f"CREATE VIRTUAL TABLE trace_words USING fts5 ({', '.join(_FIELDS)}, content = 'trace_texts', "
    "content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 0')",
    f"CREATE TRIGGER trace_words_delete AFTER DELETE ON trace_events WHEN old.id <= {_INDEXED} BEGIN {_TAKE}; END",
    "CREATE TRIGGER trace_words_update AFTER UPDATE OF decision, reasoning, alternatives_json, code_section, "
    f"spec_reference ON trace_events WHEN old.id <= {_INDEXED} BEGIN {_TAKE}; "
    f"{_ADD} VALUES (new.id, {_texts('new.')}); END",
)
_BATCH = 20_000  # events that are indexed in one transaction, which other writers wait for
_UNINDEXED = f"SELECT EXISTS (SELECT 1 FROM trace_events WHERE id > coalesce({_INDEXED}, 0))"
_UPDATE = f"{_ADD} SELECT * FROM trace_texts WHERE id > coalesce({_INDEXED}, 0) ORDER BY id LIMIT {_BATCH}"


def make_index(connection: Connection) -> None:
    """Make what the search needs, in an empty or a filled table of events."""
    statements = _SQLITE if connection.dialect.name == "sqlite" else _postgres(connection)
    for statement in statements:
        connection.exec_driver_sql(statement)


def remove_index(connection: Connection) -> None:
    """Remove what `make_index` made; the events stay."""
    if connection.dialect.name == "sqlite":
        kinds = (("TRIGGER", "trace_words_delete"), ("TRIGGER", "trace_words_update"))
        kinds = (*kinds, ("TABLE", "trace_words"), ("VIEW", "trace_texts"))
        for kind, name in kinds:
            connection.exec_driver_sql(f"DROP {kind} {name}")
    else:
        connection.exec_driver_sql("ALTER TABLE trace_events DROP COLUMN words")
        connection.exec_driver_sql("DROP FUNCTION crucible_trace_words(text, text, text, text, text)")


def update_index(database: Database) -> None:
    """Index what is not indexed yet; on PostgreSQL everything always is.

    Raises:
        StoreError: The database cannot be read or written.
    """
    while database.is_sqlite:
        with database.reading("look for traces to index") as connection:
            if not connection.exec_driver_sql(_UNINDEXED).scalar():
                return
        with database.writing("index traces", synced=False) as connection:
            connection.exec_driver_sql(_UPDATE)


def _postgres(connection: Connection) -> tuple[str, ...]:
    plain = " || ' ' || ".join(
        _without_nul(f"left({one}, {INDEXED_CHARACTERS})")
        for one in (
            "decision",
            "reasoning",
            "coalesce((SELECT string_agg(line, chr(10)) "
            "FROM json_array_elements_text(alternatives_json::json) AS line), '')",
            "coalesce(code_section, '')",
            "coalesce(spec_reference, '')",
        )
    )
    return (
        f"CREATE FUNCTION crucible_trace_words({', '.join(f'{name} text' for name in _COLUMNS)}) RETURNS tsvector "
        "LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$ "
        f"DECLARE texts text := {plain}; "
        "BEGIN "
        "IF octet_length(texts) = length(texts) "
        "THEN texts := regexp_replace(lower(texts COLLATE \"C\"), '[^0-9a-z]+', ' ', 'g'); "
        f"ELSE texts := regexp_replace({_folded(connection)}, '[^{letter_ranges()}]+', ' ', 'g'); "
        "END IF; "
        f"RETURN array_to_tsvector(ARRAY(SELECT left(word, {WORD_CHARACTERS}) "
        "FROM unnest(string_to_array(texts, ' ')) AS word WHERE word <> '')); "
        "END $$",
        "ALTER TABLE trace_events ADD COLUMN words tsvector "
        f"GENERATED ALWAYS AS (crucible_trace_words({', '.join(_COLUMNS)})) STORED",
        "CREATE INDEX ix_trace_events_words ON trace_events USING gin (words)",
    )


def _folded(connection: Connection) -> str:
    """Return what folds `texts`: the server's `lower`, mended where its locale does something else than `fold`.

    `translate` alone would do, but takes a millisecond for a text of a few hundred characters.
    """
    upper, folded = case_pairs()
    known = {row[0] for row in connection.exec_driver_sql("SELECT collname FROM pg_collation").all()}
    for name in ("pg_c_utf8", "C.UTF-8", "C.utf8", "default"):
        if name not in known or (name != "default" and not _is_usable(connection, name)):
            continue
        query = text(f'SELECT one, lower(one COLLATE "{name}") FROM unnest(:all ::text[]) AS one')
        said = {row[0]: row[1] for row in connection.execute(query, {"all": [*upper, *UNFOLDED]})}
        if said["É"] != "é":
            continue
        wanted = dict(zip(upper, folded, strict=True)) | {one: one for one in UNFOLDED}
        mended = {one: other for one, other in wanted.items() if said[one] != other}
        aside = {one: chr(_ASIDE + place) for place, one in enumerate(mended) if said[one] != one}
        kept = f"translate(texts, '{''.join(aside)}', '{''.join(aside.values())}')" if aside else "texts"
        found = "".join(aside.get(one, one) for one in mended)
        return f"translate(lower({kept} COLLATE \"{name}\"), '{found}', '{''.join(mended.values())}')"
    return f"translate(lower(texts COLLATE \"C\"), '{upper}', '{folded}')"


_ASIDE = 0xF0000  # a plane for private use: where `lower` changes nothing


def _is_usable(connection: Connection, name: str) -> bool:
    query = text(
        "SELECT EXISTS (SELECT 1 FROM pg_collation WHERE collname = :name AND collencoding IN"
        " (-1, (SELECT encoding FROM pg_database WHERE datname = current_database())))"
    )
    return bool(connection.execute(query, {"name": name}).scalar())

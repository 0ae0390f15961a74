"""Files without the ids of users and sessions."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from crucible.errors import SpecError
from crucible.store import StoredEvent
from crucible.telemetry.exports import IDENTITY_NAMES, REMOVED, Anonymizer, Source, export_records

Make = Callable[..., StoredEvent]
KEY = "a long secret of this experiment"
IDS = (
    "alice-77f3",
    "bob@example.org",
    "sess:9c1d22",
    "10.20.30.40",
    "carol-55aa",
    "zoë-ünal",
    "8675309123",
    "dave-0001",
)


@pytest.fixture
def events(record: Make) -> list[StoredEvent]:
    """Ids in every place and spelling; some come up in a text before their own event."""
    alice, bob, session, address, carol, zoe, number, dave = IDS
    return [
        record(0, metadata={"note": f"asked by {alice}, answered for {bob}", f"by {alice}": 1}, condition=carol),
        record(1, fields={"user_id": alice, "session_id": session, "cohort": "b"}, correlation_id=session),
        record(2, metadata={"userId": bob, "deep": [{"USER-ID": carol, "list": [{"clientIp": address}]}]}),
        record(3, measurements={"n": 3.5, "nested": {"current_user_id": int(number)}}, metadata={"owner": int(number)}),
        record(4, metadata={"user": {"id": zoe, "plan": "pro"}, "text": f"prefix{zoe}suffix {number}"}),
        record(5, metadata={"user_ids": [dave, alice], "sessionIds": {"first": session}, "session.id": session}),
        record(6, name=f"seen.{dave}", stage=dave, span_id=session, parent_span_id=dave, metadata={"user_id": None}),
    ]


def content(path: Path) -> bytes:
    """All that a file says, unpacked if it is Parquet."""
    if path.suffix != ".parquet":
        return path.read_bytes()
    table = pyarrow.parquet.read_table(path)
    return json.dumps([table.schema.names, table.to_pydict()], default=str, ensure_ascii=False).encode()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("mode", ["drop", "hash"])
def test_no_id_is_in_the_file(
    events: list[StoredEvent], tmp_path: Path, mode: Any, suffix: str, *, flatten: bool
) -> None:
    """None of the ids is in the file as bytes, nor is the key; whoever is nobody's stays."""
    anonymizer = Anonymizer(mode, key=KEY if mode == "hash" else None, names=(*IDENTITY_NAMES, "ip"))
    source = Source("x", f"the run of {IDS[0]}", (IDS[1], "plain tag"))
    path = tmp_path / f"a.{suffix}"
    export_records(iter(events), path=path, source=source, anonymizer=anonymizer, flatten=flatten)
    whole = content(path) + path.read_bytes()
    assert [known for known in (*IDS, KEY) if known.encode() in whole] == []
    assert [known for known in IDS if json.dumps(known)[1:-1].encode() in whole] == []
    for kept in (b"plain tag", b"answered for", b"3.5", b"prefix"):
        assert kept in whole
    pseudonyms = [hmac.new(KEY.encode(), known.encode(), hashlib.sha256).hexdigest()[:16] for known in IDS]
    found = [each.encode() in whole for each in pseudonyms]
    assert found == [mode == "hash"] * len(IDS)


def test_drop_leaves_fields_out(events: list[StoredEvent], tmp_path: Path) -> None:
    """Dropped fields are gone, at any depth; in texts the id is replaced by a word."""
    path = export_records(events, path=tmp_path / "a.jsonl", anonymizer=Anonymizer()).path
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert (rows[1]["user_id"], rows[1]["session_id"], rows[1]["cohort"]) == (None, None, "b")
    assert rows[0]["metadata"]["note"] == f"asked by {REMOVED}, answered for {REMOVED}"
    assert rows[1]["correlation_id"] == REMOVED
    assert rows[2]["metadata"]["deep"][0].keys() == {"list"}
    assert rows[3]["measurements"] == {"n": 3.5, "nested": {}}
    assert rows[4]["metadata"] == {"text": f"prefix{REMOVED}suffix {REMOVED}"}


def test_one_key_gives_one_pseudonym_in_all_files(record: Make, tmp_path: Path) -> None:
    """The same id has the same 16 digits in every file of a key, as a number too, and others under another key."""
    rows: list[dict[str, Any]] = []
    for number, key in enumerate(("one", "one", "two")):
        events = [record(1, fields={"user_id": 1234567}), record(2, metadata={"userId": "1234567"})]
        path = tmp_path / f"{number}.jsonl"
        export_records(events[number % 2 :], path=path, anonymizer=Anonymizer("hash", key=key))
        rows.append(json.loads(path.read_text(encoding="utf-8").splitlines()[-1]))
    first, second, third = (row["metadata"]["userId"] for row in rows)
    assert first == second != third
    assert re.fullmatch("[0-9a-f]{16}", first)


def test_short_ids_are_replaced_as_words_only(record: Make, tmp_path: Path) -> None:
    """`al` is replaced where it stands alone, not inside `also`; the number 7 only where it is the whole text."""
    texts = {"a": "al also (al)", "b": "al", "c": "7", "d": "step 7 of 9", "al_rate": 1, "al": 2}
    events = [record(1, fields={"user_id": "al"}), record(2, fields={"user_id": 7}, metadata=texts)]
    path = export_records(events, path=tmp_path / "a.jsonl", anonymizer=Anonymizer()).path
    metadata = json.loads(path.read_text(encoding="utf-8").splitlines()[1])["metadata"]
    assert metadata == {
        "a": f"{REMOVED} also ({REMOVED})", "b": REMOVED, "c": REMOVED, "d": "step 7 of 9", "al_rate": 1, REMOVED: 2,
    }  # fmt: skip


def test_measured_numbers_stay(record: Make, tmp_path: Path) -> None:
    """A measurement that happens to equal somebody's number, and a count of users, are no ids."""
    events = [record(1, fields={"user_id": 250_000}, measurements={"tokens": 250_000, "users": 3, "is_new_user": True})]
    path = export_records(events, path=tmp_path / "a.jsonl", anonymizer=Anonymizer()).path
    row = json.loads(path.read_text(encoding="utf-8"))
    assert row["measurements"] == {"tokens": 250_000, "users": 3}


def test_names_can_be_chosen(record: Make, tmp_path: Path) -> None:
    """What identifies somebody is the caller's to say; a name is found as the last words of a key."""
    anonymizer = Anonymizer("drop", names=["e-mail", "ip"])
    metadata = {"eMail": "x@y.zz", "contact_email": "x@y.zz", "client_ip": "1.2.3.4", "zip": "123", "user_id": "kept"}
    assert anonymizer.value(metadata) == {"zip": "123", "user_id": "kept"}


def test_one_record_can_be_hidden(record: Make) -> None:
    """`record` hides the ids of one event and those that were learned; the anonymiser remembers them."""
    anonymizer = Anonymizer("hash", key=KEY)
    anonymizer.learn([record(1, fields={"session_id": "session-one"})])
    hidden = anonymizer.record(record(2, metadata={"user_id": "user-two", "text": "session-one by user-two"}))
    one, two = anonymizer.pseudonym("session-one"), anonymizer.pseudonym("user-two")
    assert hidden.metadata == {"user_id": two, "text": f"{one} by {two}"}
    assert anonymizer.text("user-two") == two


def test_ids_that_are_keys_and_lists(record: Make) -> None:
    """A key that is an id is replaced and stays apart from another; every member of a list has its own pseudonym."""
    drop, hashed = Anonymizer("drop"), Anonymizer("hash", key=KEY)
    for anonymizer in (drop, hashed):
        anonymizer.learn([record(1, metadata={"user_ids": ["alice-1", "bobby-2"]})])
    value = {"alice-1": 1, "bobby-2": 2, "users": [["alice-1"], {"x": "bobby-2", "n": 5, "none": None}]}
    assert drop.value(value) == {REMOVED: 1, f"{REMOVED} 2": 2}
    one, two = hashed.pseudonym("alice-1"), hashed.pseudonym("bobby-2")
    assert hashed.value(value) == {
        one: 1, two: 2, "users": [[one], {"x": two, "n": hashed.pseudonym(5), "none": None}],
    }  # fmt: skip


ADA, BEA = "ada@example.org", "bea-000017"


@pytest.mark.parametrize(
    "value",
    [
        {"users": {ADA: 0.5, BEA: 3}},
        {"latency_by_user": {ADA: 0.5, BEA: 3}},
        {"errors": {"perUser": {ADA: 0.5, BEA: 3}}},
        {"tokens_by_user_id": {ADA: {"mean": 0.5}, BEA: [3]}},
        {"userIds": {ADA: 0.5, BEA: 3}},
        {"user": {ADA: 0.5, BEA: 3}},
        {"USERS": {ADA: {"score": 0.5}, BEA: {"score": 3}}},
    ],
)
@pytest.mark.parametrize("section", ["metadata", "measurements", "fields"])
def test_keys_of_a_mapping_by_user_are_ids(record: Make, tmp_path: Path, section: str, value: Any) -> None:
    """Ids that are keys only are hidden there, in other keys and in texts; what was measured of each stays a number."""
    told = {"note": f"{ADA} asked", f"seen {BEA}": 1, "kept": "plain"}
    for mode in ("drop", "hash"):
        events = [record(1, metadata=told), record(2, **{section: value})]
        anonymizer = Anonymizer(mode, key=KEY if mode == "hash" else None)
        whole = export_records(events, path=tmp_path / "a.jsonl", anonymizer=anonymizer).path.read_text("utf-8")
        assert ADA not in whole
        assert BEA not in whole
        assert "plain" in whole
        assert (anonymizer.pseudonym(ADA) in whole, anonymizer.pseudonym(BEA) in whole) == (True, True)
        if mode == "hash" and "user" not in value:
            assert ("0.5" in whole, f"{anonymizer.pseudonym(0.5)}" in whole) == (True, False)


def test_what_stands_under_a_users_key() -> None:
    """Numbers stay, texts become pseudonyms; below `by_user` a mapping is as anywhere, below `users` it is a person."""
    hashed = Anonymizer("hash", key=KEY)
    one, two = hashed.pseudonym(ADA), hashed.pseudonym(BEA)
    by_user = {"model_by_user": {ADA: "tiny"}, "by_user": {BEA: {"model": "tiny", "n": 7, "user_id": ADA}}}
    assert hashed.value(by_user) == {
        "model_by_user": {one: hashed.pseudonym("tiny")}, "by_user": {two: {"model": "tiny", "n": 7, "user_id": one}},
    }  # fmt: skip
    assert hashed.text("tiny") == "tiny", "what a user used is no id elsewhere"
    users = {"users": {ADA: {"phone": 8675309123, "score": 0.5, "n": 7, "on": True, "alias": BEA}, "total": 2}}
    assert hashed.value(users) == {
        "users": {
            one: {"phone": hashed.pseudonym(8675309123), "score": 0.5, "n": 7, "on": True, "alias": two},
            "total": 2,
        }
    }
    sessions = {"sessions_by_user": {ADA: ["s-00001", "s-00002"]}, "note": "of s-00002"}
    ids = [hashed.pseudonym("s-00001"), hashed.pseudonym("s-00002")]
    assert hashed.value(sessions) == {"sessions_by_user": {one: ids}, "note": f"of {ids[1]}"}


@pytest.mark.parametrize(
    "value",
    [
        {"users": {"count": 3, "active": 2, "mean": 0.5}, "count": 3},
        {"users": 3, "sessions": 1_200_000, "user_ids": 5, "errors_per_user": 0.5, "per_user": 2},
        {"gpu_uid": "GPU-1234567", "menu_id": 4, "run_token": "t", "prompt_tokens": 7, "superuser": True},
        {"users": "three of them", "emails": {"sent": 4}},
    ],
)
@pytest.mark.parametrize("mode", ["drop", "hash"])
def test_statistics_and_strangers_names_stay(mode: Any, value: Any) -> None:
    """Counts of users, numbers per user, and ids of other things than people are not hidden."""
    assert Anonymizer(mode, key=KEY if mode == "hash" else None).value(value) == value


@pytest.mark.parametrize(
    "key",
    ["user_email", "userEmail", "USER-UUID", "current_user_uid", "uid", "session_token", "sessionKey", "session_uuid"],
)
def test_usual_names_are_hidden(key: str) -> None:
    """E-mail addresses, tokens, keys and other ids of users and sessions are known without being told."""
    assert Anonymizer().value({"deep": [{key: ADA}], "note": f"by {ADA}"}) == {"deep": [{}], "note": f"by {REMOVED}"}


@pytest.mark.parametrize("listed", [f"{ADA}, {BEA}", f'["{ADA}","{BEA}"]', f"{ADA};{BEA}", f"{ADA} {BEA}"])
def test_a_text_that_lists_ids(listed: str) -> None:
    """Each id of a text under `user_ids` is one: hidden there, and known elsewhere."""
    hashed = Anonymizer("hash", key=KEY)
    one, two = hashed.pseudonym(ADA), hashed.pseudonym(BEA)
    expected = listed.replace(ADA, one).replace(BEA, two)
    assert hashed.value({"user_ids": listed, "note": ADA, BEA: 1}) == {"user_ids": expected, "note": one, two: 1}
    drop = Anonymizer()
    assert drop.value({"sessionIds": listed, "note": f"of {BEA}"}) == {"note": f"of {REMOVED}"}
    assert drop.value({"session_ids": 8675309123, "note": "8675309123"}) == {"note": REMOVED}


def test_experiments_tell_ids_too(record: Make, tmp_path: Path) -> None:
    """Ids in the metadata of an experiment are learned by their keys, those in tags by what stands before them."""
    anonymizer = Anonymizer()
    anonymizer.learn(about={"owner": {"user_id": ADA}}, tags=["user=bea-000017", "plain", "n:1"])
    assert anonymizer.text(f"{ADA} and {BEA}, 1") == f"{REMOVED} and {REMOVED}, 1"
    source = Source("x", f"the run of {ADA}", (f"user_email: {ADA}", "model:tiny"))
    for sources in (source, {"0123456789abcdef": source}):
        events = [record(1, metadata={"note": f"by {ADA}", "model": "tiny"})]
        path = export_records(events, path=tmp_path / "a.jsonl", source=sources, anonymizer=Anonymizer()).path
        row = json.loads(path.read_text(encoding="utf-8"))
        assert (row["experiment_name"], row["tags"]) == (
            f"the run of {REMOVED}",
            [f"user_email: {REMOVED}", "model:tiny"],
        )
        assert row["metadata"] == {"note": f"by {REMOVED}", "model": "tiny"}


def test_sources_of_many_recordings_are_cleaned(record: Make, tmp_path: Path) -> None:
    """The names of all recordings in a file lose the ids that are in its events."""
    events = [record(1, fields={"user_id": "alice-1"}), record(2, run_id="of alice-1")]
    sources = {"of alice-1": Source("of alice-1", "Made by alice-1")}
    path = export_records(events, path=tmp_path / "a.jsonl", source=sources, anonymizer=Anonymizer()).path
    row = json.loads(path.read_text(encoding="utf-8").splitlines()[1])
    assert (row["experiment_id"], row["experiment_name"]) == (f"of {REMOVED}", f"Made by {REMOVED}")


def test_the_key_is_not_shown() -> None:
    """Neither `repr` nor `str` of an anonymiser holds its key."""
    assert f"{Anonymizer('hash', key=KEY)!r}" == "Anonymizer('hash')"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "hash"}, "needs a key"),
        ({"mode": "hash", "key": ""}, "needs a key"),
        ({"mode": "hsh", "key": "x"}, 'did you mean "hash"'),
        ({"names": ["user_id", "__"]}, "a name without a letter"),
    ],
)
def test_what_would_not_hide_is_refused(given: dict[str, Any], message: str) -> None:
    """A hash that anybody can compute, an unknown mode, and a name that fits no key are errors."""
    with pytest.raises(SpecError, match=message):
        Anonymizer(**given)


def test_many_ids_stay_quick(record: Make, tmp_path: Path) -> None:
    """Thousands of users in as many events: finding ids in texts does not grow with their number."""
    events = (
        record(n, fields={"user_id": f"user-{n:08}"}, metadata={"text": f"a text of user-{(n * 7) % 4000:08}"})
        for n in range(4000)
    )
    path = export_records(events, path=tmp_path / "a.csv", anonymizer=Anonymizer("hash", key=KEY)).path
    assert re.search(rb"user-\d", path.read_bytes()) is None

"""What signatures, closing records and noted heads show."""

from __future__ import annotations

import msgspec
import pytest

from crucible.errors import SpecError
from crucible.trace import Chain, Event
from crucible.trace.integrity import Closing, Entry, Ledger, PublicKey, Signer, verify


def event(word: str = "d") -> Event:
    """Return an event."""
    return Event.new("decision_made", word, "because")


def made(count: int = 3, signer: Signer | None = None) -> Chain:
    """Return a sealed chain."""
    chain = Chain("signed")
    chain.extend(event(f"d{place}") for place in range(count))
    chain.seal(signer)
    return chain


def again(chain: Chain) -> Chain:
    """Return the chain as its JSON brings it back."""
    return Chain.from_dict(msgspec.json.decode(msgspec.json.encode(chain.to_dict())))


def forged(chain: Chain, signer: Signer | None = None) -> Chain:
    """Return the chain as somebody rewrites it who computes every hash anew, and signs with a key of their own."""
    other = Chain(chain.name, id=chain.id, created_at=chain.created_at)
    other.extend(msgspec.structs.replace(each, decision="forged") for each in chain)
    other.seal(signer)
    return again(other)


def test_rewritten() -> None:
    """A rewritten chain verifies by itself, but not against the key or the head that one knows."""
    signer, stranger = Signer.generate(), Signer.generate()
    chain = made(signer=signer)
    for fake in (forged(chain), forged(chain, stranger)):
        outcome = verify(fake)
        assert outcome.ok
        assert not outcome.is_key_known
    first = verify(forged(chain), public_key=signer.public_key).first
    assert first is not None
    assert first.fault == "unsigned"
    first = verify(forged(chain, stranger), public_key=signer.public_key.text).first
    assert first is not None
    assert first.fault == "key"
    first = verify(forged(chain), head=chain.seal().head).first
    assert first is not None
    assert first.fault == "head"


def test_signature_of_another() -> None:
    """Rewriting the entries and keeping the signed closing record is found; so is a record that names a new head."""
    signer = Signer.generate()
    chain = made(signer=signer)
    data = forged(chain).to_dict()
    honest = chain.to_dict()["integrity"]
    data["integrity"] = {**honest, "entries": data["integrity"]["entries"]}
    first = verify(Chain.from_dict(data), public_key=signer.public_key).first
    assert first is not None
    assert first.fault == "ledger"
    data["integrity"]["closing"] = {**honest["closing"], "head": data["integrity"]["entries"][-1]["hash"]}
    first = verify(Chain.from_dict(data), public_key=signer.public_key).first
    assert first is not None
    assert first.fault == "signature"


def test_cut_off() -> None:
    """A tail dropped with its entries: the closing record and a noted head count what was there."""
    signer = Signer.generate()
    for chain in (made(), made(signer=signer)):
        data = again(chain).to_dict()
        del data["events"][-1], data["integrity"]["entries"][-1]
        first = verify(Chain.from_dict(data)).first
        assert first is not None
        assert (first.fault, first.place) == ("dropped", 2)
        data["integrity"]["closing"] = None  # nothing left to tell; is_closed says so
        outcome = verify(Chain.from_dict(data))
        assert not outcome.is_closed
        assert "cut off" in outcome.to_text() or not outcome.ok
        first = verify(Chain.from_dict(data), head=chain.seal().head).first
        assert first is not None
        assert first.fault == "dropped"


def test_head_of_before() -> None:
    """A chain that has grown since its head was noted still leads through it; an empty one's head counts too."""
    chain = Chain("growing")
    heads = [chain.seal().head]
    for _ in range(3):
        chain.add(event())
        heads.append(chain.seal().head)
    assert [head.partition(":")[0] for head in heads] == ["0", "1", "2", "3"]
    assert all(verify(again(chain), head=head).ok for head in heads)
    assert not verify(chain, head="3:" + "0" * 64).ok
    assert not verify(chain, head="nonsense").ok


def test_grown_without_the_signer() -> None:
    """Events added to a loaded chain are hashed and unsigned, which is found; sealing it with the key signs them."""
    signer = Signer.generate()
    chain = again(made(signer=signer))
    chain.add(event("later"))
    loaded = again(chain)
    first = verify(loaded, public_key=signer.public_key).first
    assert first is not None
    assert (first.fault, first.place, first.decision) == ("unsigned", 3, "later")
    loaded.seal(signer)
    assert verify(again(loaded), public_key=signer.public_key).ok


def test_seal_again() -> None:
    """Sealing twice changes nothing; another key is refused, and so is signing what does not verify."""
    signer = Signer.generate()
    chain = made(signer=signer)
    assert chain.seal() is chain.seal(signer) is chain.ledger
    with pytest.raises(SpecError, match="is signed with") as caught:
        chain.seal(Signer.generate())
    assert caught.value.code == "other_key"
    data = made().to_dict()
    data["events"][1]["decision"] = "altered"
    with pytest.raises(SpecError, match="was altered"):
        Chain.from_dict(data).seal(signer)
    unsigned = again(made())
    unsigned.seal(signer)
    assert verify(again(unsigned), public_key=signer.public_key).ok


def test_entry_signatures() -> None:
    """A signature on an entry covers all before it; a wrong one is named with its event."""
    signer = Signer.generate()
    chain = made()
    entries = [Entry(each.event_id, each.hash) for each in chain.seal().entries]
    message = b"crucible trace entry 1\0" + entries[-1].hash.encode()
    entries[-1] = msgspec.structs.replace(entries[-1], signature=signer.sign(message))

    def with_entries(listed: list[Entry]) -> Chain:
        ledger = Ledger(chain.id, listed, public_key=signer.public_key.text)
        return Chain.from_dict({**chain.to_dict(), "integrity": ledger.to_dict()})

    outcome = verify(with_entries(entries), public_key=signer.public_key)
    assert outcome.ok
    assert not outcome.is_closed
    entries[0] = msgspec.structs.replace(entries[0], signature=entries[-1].signature)
    first = verify(with_entries(entries)).first
    assert first is not None
    assert (first.fault, first.place) == ("signature", 0)


def test_transplanted() -> None:
    """A ledger and its events in another chain: the first finding says whose they are."""
    data = made().to_dict()
    data["id"] = "another"
    first = verify(Chain.from_dict(data)).first
    assert first is not None
    assert first.fault == "chain"
    data["integrity"]["chain_id"] = "another"
    assert not verify(Chain.from_dict(data)).ok


def test_metadata_changed_in_memory() -> None:
    """Events are frozen, their metadata are not: changing them after sealing is found."""
    chain = Chain("any")
    chain.add(Event.new("loss_computed", "loss", "r", metadata={"loss": 0.5}))
    chain.seal()
    chain[0].metadata["loss"] = 0.1
    first = verify(chain).first
    assert first is not None
    assert first.fault == "altered"


def test_empty() -> None:
    """An empty chain can be sealed and signed; unsealed chains say so."""
    signer = Signer.generate()
    assert verify(again(made(0, signer)), public_key=signer.public_key).ok
    assert verify(again(made(0))).ok
    first = verify(Chain("plain")).first
    assert first is not None
    assert first.fault == "unsealed"


def test_unsealed_chains() -> None:
    """Filtering and sorting give chains without a ledger, and chains that were never sealed write no key for it."""
    chain = made()
    assert chain.filter(lambda _: True).ledger is None
    assert chain.sorted().ledger is None
    assert "integrity" not in chain.sorted().to_dict()


def test_unreadable_ledger() -> None:
    """A ledger of a version to come is kept as it is, and not replaced by a new one."""
    data = {**made().to_dict(), "integrity": {"algorithm": "later/9", "entries": [1]}}
    chain = Chain.from_dict(data)
    assert chain.to_dict() == data
    with pytest.raises(SpecError, match="cannot read"):
        chain.seal()
    chain.filter(lambda _: True).seal()


def test_refused_event() -> None:
    """An event that JSON cannot carry is refused by a sealed chain, and the chain stays as it was."""
    chain = made()
    with pytest.raises(SpecError, match="no canonical form"):
        chain.add(Event.new("decision_made", "d", "r", metadata={"object": object()}))
    assert len(chain) == len(chain.seal()) == 3
    chain.add(event())
    assert verify(again(chain)).ok


def test_closing_is_signed_once() -> None:
    """The closing record is signed when it is asked for, and again only after the chain has grown."""
    chain = made(signer=Signer.generate())
    ledger = chain.seal()
    assert ledger.closing is ledger.closing
    before = ledger.closing
    chain.add(event())
    assert isinstance(before, Closing)
    assert ledger.closing != before


def test_wording() -> None:
    """Messages quote hostile names without passing control characters on."""
    chain = Chain("any")
    chain.add(Event.new("decision_made", "\x1b[31mred", "r", id="\x1b]0;x\x07"))
    data = chain.to_dict()
    chain.seal()
    data["integrity"] = chain.to_dict()["integrity"]
    data["events"][0]["reasoning"] = "other"
    text = verify(Chain.from_dict(data), public_key=PublicKey("\x1b[0m"), head="\x1b").to_text()
    assert text.isprintable() or "\x1b" not in text
    assert "event 1 of 1" in text
